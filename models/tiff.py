"""TIFF files that Pillow cannot show as they are: more than 8 bits, floats, many channels, bands as pages.

Read by tifffile with imagecodecs, whose decoders stop at the size that the header declares.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.rendering import RawPicture, RenderError

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
MAX_VALUES = 1_600_000_000
"""Pixels times channels above which a page is refused."""
ORIENTATION_TAG = 274
MAX_PAGE_BANDS = 64
"""Alike pages that are counted as bands of one picture; a longer row of them is rather a film."""

# By value of the tag Compression. The others hold whole pictures with a size of their own, which nothing bounds.
_COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits", 34925: "LZMA", 50000: "Zstd"}
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
PLAIN_PHOTOMETRICS = (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB)
"""Values of the tag PhotometricInterpretation whose channels are what a person or instrument measured."""
_ALPHA_KINDS = (1, 2)


def is_tiff(path: Path) -> bool:
    """Whether the file begins as a TIFF does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return stream.read(4) in SIGNATURES


def tiff_size(path: Path, page: int) -> tuple[int, int, int]:
    """(width, height, orientation) of a page counted from 1, as stored, from the header alone.

    Raises:
        RenderError: there is no such page.
        Exception: what tifffile raises on damaged files, see `models.images.DECODER_ERRORS`.
    """
    with _open(path) as file:
        found = _page(file, page)
        return found.imagewidth, found.imagelength, _orientation(found)


def tiff_bands(path: Path, page: int) -> int:
    """How many bands `read_tiff` can choose from at a page counted from 1; opacity is none.

    Raises:
        as `tiff_size`.
    """
    with _open(path) as file:
        first = _page(file, page)
        if first.samplesperpixel > 1:
            return int(first.samplesperpixel) - _has_alpha(first)
        number = page
        while number - page + 1 < MAX_PAGE_BANDS and number < len(file.pages):
            other = _page(file, number + 1)
            if (other.shape, other.dtype) != (first.shape, first.dtype):
                break
            number += 1
        return number - page + 1


def tiff_is_deep(path: Path, page: int) -> bool:
    """Whether a page counted from 1 holds more than 8 bits a channel.

    Raises:
        as `tiff_size`.
    """
    with _open(path) as file:
        kind = _page(file, page).dtype
        return kind is not None and kind.itemsize > 1


def read_tiff(path: Path, page: int, bands: tuple[int, ...] | None, max_pixels: int) -> RawPicture:
    """The values of a page counted from 1; where pages hold one channel each, bands count pages from there.

    Raises:
        RenderError: no such page, one that is too large, or one whose values have no plain meaning.
        Exception: what tifffile raises on damaged files, see `models.images.DECODER_ERRORS`.
    """
    with _open(path) as file:
        first = _page(file, page)
        _check(first, max_pixels)
        _check_data(first, file.filehandle.size)
        if bands is None or max(bands) == 1 or first.samplesperpixel > 1:
            return RawPicture(_values(first), _has_alpha(first), _orientation(first))
        planes = [_plane(file, first, page + band - 1, max_pixels) for band in bands]
        return RawPicture(np.concatenate(planes, axis=2), orientation=_orientation(first), chosen=True)


def _open(path: Path) -> TiffFile:
    from tifffile import TiffFile

    # It tells of every oddity of a file on standard error; what matters is raised.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return TiffFile(path)


def _page(file: TiffFile, number: int) -> TiffPage:
    try:
        page = file.pages[number - 1]
    except IndexError as error:
        count = len(file.pages)
        raise RenderError(f"has {count} page{'s' * (count != 1)}, preprocessing.page asks for {number}") from error
    full: Any = page.aspage()
    if full.imagewidth < 1 or full.imagelength < 1:
        raise ValueError(f"its header tells of {full.imagewidth} x {full.imagelength} pixels")
    return full  # type: ignore[no-any-return]


def _check(page: TiffPage, max_pixels: int) -> None:
    size = f"{page.imagewidth} x {page.imagelength} pixels"
    pixels = page.imagewidth * page.imagelength
    if pixels > max_pixels:
        raise RenderError(f"has {size}, more than the limit of {max_pixels // 1_000_000} million: cut it into tiles")
    if pixels * page.samplesperpixel > MAX_VALUES:
        raise RenderError(
            f"has {size} of {page.samplesperpixel} channels, more than the limit of {MAX_VALUES // 1_000_000} million "
            "values: cut it into tiles"
        )
    if page.compression not in _COMPRESSIONS:
        known = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise RenderError(
            f"is compressed by {getattr(page.compression, 'name', page.compression)}, expected one of {known} for more "
            "than 8 bits or more than 4 channels: convert it"
        )
    if page.photometric not in PLAIN_PHOTOMETRICS or page.imagedepth != 1 or page.dtype is None:
        raise RenderError(
            f"holds {getattr(page.photometric, 'name', page.photometric)} of {page.bitspersample} bits, expected grey, "
            "RGB or bands: convert it"
        )


def _check_data(page: TiffPage, file_bytes: int) -> None:
    """Refuse a page whose data is not all there, which tifffile would fill with zeros, whatever size is declared."""
    counts, offsets = page.databytecounts, page.dataoffsets
    is_whole = len(counts) == len(offsets) >= math.prod(page.chunked) and min(counts, default=0) > 0
    if page.compression == 1:
        is_whole = is_whole and sum(counts) * 8 >= math.prod(page.shape) * page.bitspersample
    if not is_whole or any(start + count > file_bytes for start, count in zip(offsets, counts, strict=True)):
        raise ValueError("it ends before its pixels do")


def _values(page: TiffPage) -> npt.NDArray[np.generic]:
    values: npt.NDArray[np.generic] = page.asarray()
    if np.iscomplexobj(values):
        raise RenderError("holds complex numbers, expected real ones: store their magnitude")
    shape = (page.imagelength, page.imagewidth)
    if page.axes == "SYX":  # planar: each channel by itself
        values = np.moveaxis(values, 0, -1)
    values = values.reshape(*shape, page.samplesperpixel)
    if page.photometric == _MIN_IS_WHITE and np.issubdtype(values.dtype, np.unsignedinteger):
        values = np.iinfo(values.dtype).max - values  # type: ignore[type-var]
    return values.astype(np.uint8) * np.uint8(255) if values.dtype == np.bool_ else values


def _plane(file: TiffFile, first: TiffPage, number: int, max_pixels: int) -> npt.NDArray[np.generic]:
    page = _page(file, number)
    _check(page, max_pixels)
    _check_data(page, file.filehandle.size)
    if (page.shape, page.dtype) != (first.shape, first.dtype):
        raise RenderError(
            f"has pages of {first.shape} {first.dtype} and {page.shape} {page.dtype}: as bands they must be alike"
        )
    return _values(page)


def _has_alpha(page: TiffPage) -> bool:
    extra = tuple(page.extrasamples or ())
    return bool(extra) and extra[-1] in _ALPHA_KINDS and page.samplesperpixel in (2, 4)


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get(ORIENTATION_TAG)
    value = tag.value if tag is not None else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
