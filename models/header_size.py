"""Size of a TIFF or PNG picture from its header: for files that Pillow cannot open and OpenCV would decode at once."""

from __future__ import annotations

import struct
from typing import IO

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
PNG_SIGNATURE = b"\x89PNG"

_BIG_TIFF = 43
_WIDTH_TAG, _HEIGHT_TAG = 256, 257
_MAX_TAGS = 65_535
# TIFF type of a tag -> struct code of its value.
_INTEGERS = {1: "B", 3: "H", 4: "L", 16: "Q"}


def header_size(stream: IO[bytes]) -> tuple[int, int] | None:
    """(width, height) in pixels of the first picture; None if the file is neither TIFF nor PNG.

    Raises:
        ValueError, struct.error, OSError, OverflowError: the header is damaged.
    """
    head = stream.read(24)
    if head.startswith(PNG_SIGNATURE):
        return _positive(*struct.unpack(">LL", head[16:24]))
    if head.startswith(TIFF_SIGNATURES):
        return _tiff_size(stream, head)
    return None


def _tiff_size(stream: IO[bytes], head: bytes) -> tuple[int, int]:
    order = "<" if head.startswith(b"II") else ">"
    is_big = struct.unpack(f"{order}H", head[2:4])[0] == _BIG_TIFF
    offset_code, count_code, start = ("Q", "Q", 8) if is_big else ("L", "H", 4)
    (directory,) = struct.unpack_from(order + offset_code, head, start)
    stream.seek(directory)
    (count,) = struct.unpack(order + count_code, stream.read(struct.calcsize(order + count_code)))
    if count > _MAX_TAGS:
        raise ValueError(f"its header tells of {count} tags")
    entry = struct.Struct(f"{order}HH{offset_code}{8 if is_big else 4}s")
    sides: dict[int, int] = {}
    for tag, kind, _, value in entry.iter_unpack(stream.read(count * entry.size)):
        if tag in (_WIDTH_TAG, _HEIGHT_TAG) and kind in _INTEGERS:
            sides.setdefault(tag, struct.unpack_from(order + _INTEGERS[kind], value)[0])
    if len(sides) < 2:
        raise ValueError("its header tells no size")
    return _positive(sides[_WIDTH_TAG], sides[_HEIGHT_TAG])


def _positive(width: int, height: int) -> tuple[int, int]:
    if min(width, height) < 1:
        raise ValueError(f"its header tells of {width} x {height} pixels")
    return width, height
