"""The compiled half of the int16 runtime: where it is, and whether this machine can run it. Imports no torch."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

FOLDER = Path(__file__).parent / "native"
VERSION = 1
"""Of the structures and layouts in vit_int16.c."""


class Matrix(ctypes.Structure):
    """As in vit_int16.c."""

    _fields_ = (
        ("packed", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("inputs", ctypes.c_int32),
        ("chunk", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("padded_outputs", ctypes.c_int32),
    )


class Block(ctypes.Structure):
    """As in vit_int16.c."""

    _fields_ = (
        ("qkv", Matrix),
        ("projection", Matrix),
        ("up", Matrix),
        ("down", Matrix),
        ("norm1_weight", ctypes.c_void_p),
        ("norm1_bias", ctypes.c_void_p),
        ("norm2_weight", ctypes.c_void_p),
        ("norm2_bias", ctypes.c_void_p),
        ("epsilon", ctypes.c_float),
        ("heads", ctypes.c_int32),
        ("gated", ctypes.c_int32),
    )


@cache
def load_library() -> ctypes.CDLL | None:
    """The library, or None where it was not built or the processor lacks AVX-512 VNNI."""
    built = [path for suffix in EXTENSION_SUFFIXES if (path := FOLDER / f"vit_int16{suffix}").is_file()]
    if not built:
        return None
    try:
        library = ctypes.CDLL(str(built[0]))
        library.vit_int16_version.argtypes = []
        library.vit_int16_version.restype = ctypes.c_int32
    except (OSError, AttributeError):  # built on another system, or long ago
        return None
    library.vit_int16_supported.argtypes = []
    library.vit_int16_supported.restype = ctypes.c_int32
    library.vit_int16_workspace_bytes.argtypes = [ctypes.POINTER(Block), ctypes.c_int32, ctypes.c_int32]
    library.vit_int16_workspace_bytes.restype = ctypes.c_int64
    library.vit_int16_block.argtypes = [
        ctypes.POINTER(Block),
        *[ctypes.c_void_p] * 3,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    library.vit_int16_block.restype = None
    return library if library.vit_int16_version() == VERSION and library.vit_int16_supported() else None
