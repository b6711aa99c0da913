"""How the patch features of an image are written: as they are, as bytes, or as the bytes of fewer channels.

Each form makes one array that NumPy writes as an .npy file, and reads single cells of it without touching the others:
the channels of a cell lie together. A form changes how exactly features are kept, not what they mean: whatever is read
has the extractor's D channels again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.projection import Projection

FloatArray = npt.NDArray[np.float32]
Stored = npt.NDArray[Any]

LEVELS = 255
LOWEST_CODE = -128
PROJECTED_CHANNELS = 128
"""Channels that `pca_int8` keeps, at most."""


class FormName(StrEnum):
    """What `features_form` of the YAML file and the manifest name."""

    FLOAT16 = "float16"
    """Two bytes a channel."""
    INT8 = "int8"
    """One byte a channel; an offset and a step for each channel of each image."""
    PCA_INT8 = "pca_int8"
    """One byte for each principal component; the projection is fitted once for the session."""


class PatchMap(Protocol):
    """The stored patch features of one image."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Hp, Wp, D)"""
        ...

    def __getitem__(self, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], /) -> npt.NDArray[np.floating]:
        """Features (N, D) of the cells with these rows (N,) and columns (N,); nothing else is read."""
        ...

    def whole(self) -> npt.NDArray[np.floating]:
        """(Hp, Wp, D), float16 or float32."""
        ...


class Form(Protocol):
    """Turns patch features into what is stored, and back."""

    @property
    def name(self) -> FormName:
        """Which one it is."""
        ...

    def encode(self, patches: npt.NDArray[np.floating]) -> Stored:
        """What is written for features (Hp, Wp, D).

        Raises:
            ValueError: a value is not finite, or too large to be kept.
        """
        ...

    def open(self, stored: Stored) -> PatchMap:
        """The map in what was read, which may lie on the disk still.

        Raises:
            ValueError: it is not what this form writes; says what was found and expected.
        """
        ...


class Float16Form:
    """Half precision: an (Hp, Wp, D) float16 array."""

    name = FormName.FLOAT16

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def encode(self, patches: npt.NDArray[np.floating]) -> Stored:
        """As in `Form`."""
        with np.errstate(over="ignore"):
            stored = patches.astype(np.float16)
        _check_finite(stored)
        return stored

    def open(self, stored: Stored) -> PatchMap:
        """As in `Form`."""
        if stored.dtype.kind != "f":
            raise ValueError("holds no floating-point array")
        _check_shape(stored.shape, self._dim)
        return _Float16Map(stored)


class _Float16Map:
    def __init__(self, values: Stored) -> None:
        self._values = values
        self.shape = values.shape

    def __getitem__(self, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], /) -> npt.NDArray[np.floating]:
        return np.asarray(self._values[cells])

    def whole(self) -> npt.NDArray[np.floating]:
        return self._values


class Int8Form:
    """One byte a channel: value = offset + step x code, with an offset and a step for each channel of each image."""

    name = FormName.INT8

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def encode(self, patches: npt.NDArray[np.floating]) -> Stored:
        """As in `Form`: a record {offset (D,), step (D,), codes (Hp, Wp, D)}."""
        _check_finite(patches)
        return quantize(patches.astype(np.float32, copy=False))

    def open(self, stored: Stored) -> PatchMap:
        """As in `Form`."""
        return _Int8Map(*_open_record(stored, self._dim))


class _Int8Map:
    def __init__(self, codes: npt.NDArray[np.int8], offset: FloatArray, step: FloatArray) -> None:
        self._codes, self._offset, self._step = codes, offset, step
        self.shape = codes.shape

    def __getitem__(self, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], /) -> npt.NDArray[np.floating]:
        return self._decode(self._codes[cells])

    def whole(self) -> npt.NDArray[np.floating]:
        return self._decode(self._codes)

    def _decode(self, codes: npt.NDArray[np.int8]) -> FloatArray:
        values = codes.astype(np.float32)
        values *= self._step
        values += self._offset
        return values


class PcaInt8Form:
    """The bytes of the first principal components; decoding projects them back to D channels."""

    name = FormName.PCA_INT8

    def __init__(self, projection: Projection) -> None:
        self.projection = projection

    def encode(self, patches: npt.NDArray[np.floating]) -> Stored:
        """As in `Form`: a record {offset (K,), step (K,), codes (Hp, Wp, K)}."""
        _check_finite(patches)
        rows = patches.reshape(-1, patches.shape[-1]).astype(np.float32, copy=False)
        components = np.asarray((rows - self.projection.mean) @ self.projection.encoding, dtype=np.float32)
        return quantize(components.reshape(*patches.shape[:2], -1))

    def open(self, stored: Stored) -> PatchMap:
        """As in `Form`."""
        codes, offset, step = _open_record(stored, self.projection.encoding.shape[1])
        return _PcaMap(codes, offset, step, self.projection)


class _PcaMap:
    def __init__(
        self, codes: npt.NDArray[np.int8], offset: FloatArray, step: FloatArray, projection: Projection
    ) -> None:
        self._codes = codes
        # Offset and step are folded into the projection: one product decodes and projects.
        self._matrix = step[:, None] * projection.decoding
        self._constant = projection.mean + offset @ projection.decoding
        self.shape = (*codes.shape[:2], len(projection.mean))

    def __getitem__(self, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], /) -> npt.NDArray[np.floating]:
        return self._decode(self._codes[cells])

    def whole(self) -> npt.NDArray[np.floating]:
        return self._decode(self._codes.reshape(-1, self._codes.shape[-1])).reshape(self.shape)

    def _decode(self, codes: npt.NDArray[np.int8]) -> FloatArray:
        values: FloatArray = codes.astype(np.float32) @ self._matrix
        values += self._constant
        return values


def cell_bytes(name: FormName, dim: int) -> int:
    """What a cell takes on the disk."""
    return {FormName.FLOAT16: 2 * dim, FormName.INT8: dim, FormName.PCA_INT8: min(dim, PROJECTED_CHANNELS)}[name]


def make_form(name: FormName, dim: int, projection: Projection | None = None) -> Form:
    """The form of that name for features of `dim` channels; `pca_int8` needs its projection."""
    if name is FormName.FLOAT16:
        return Float16Form(dim)
    if name is FormName.INT8:
        return Int8Form(dim)
    if projection is None:
        raise ValueError("pca_int8 needs a projection")
    return PcaInt8Form(projection)


def quantize(values: FloatArray) -> Stored:
    """A record {offset (C,), step (C,), codes (Hp, Wp, C)} of values (Hp, Wp, C).

    The lowest and the highest value of each channel are exact, all others off by half a step at most.
    """
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    step = (high.astype(np.float64) - low) / LEVELS
    codes = np.rint(np.divide(values - low, step, out=np.zeros_like(values), where=step > 0, casting="same_kind"))
    record = np.zeros((), dtype=_record_layout(values.shape))
    record["codes"] = (np.clip(codes, 0, LEVELS) + LOWEST_CODE).astype(np.int8)
    record["step"] = step
    record["offset"] = low - LOWEST_CODE * step
    # A constant channel has step 0 and is its offset.
    return record


def _record_layout(shape: tuple[int, ...]) -> np.dtype[np.void]:
    channels = shape[-1]
    return np.dtype([("offset", "<f4", (channels,)), ("step", "<f4", (channels,)), ("codes", "i1", shape)])


def _open_record(stored: Stored, channels: int) -> tuple[npt.NDArray[np.int8], FloatArray, FloatArray]:
    if stored.dtype.names != ("offset", "step", "codes") or stored.shape != ():
        raise ValueError("holds no record of offset, step and codes")
    codes: npt.NDArray[np.int8] = stored["codes"]
    _check_shape(codes.shape, channels)
    if stored.dtype != _record_layout(codes.shape):
        raise ValueError(f"holds a record of {stored.dtype}")
    return codes, np.array(stored["offset"]), np.array(stored["step"])


def _check_shape(shape: tuple[int, ...], channels: int) -> None:
    if len(shape) != 3 or shape[-1] != channels or 0 in shape:
        raise ValueError(f"has shape {shape}, expected 3 axes with {channels} channels")


def _check_finite(values: npt.NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"features are not finite as {values.dtype}")
