"""From the values in an image file to the 8-bit RGB picture that people and networks see. Knows no files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.preprocessing import Contrast, Crop, Percentiles, Preprocessing, ValueRange

AUTO_PERCENTILES = (0.5, 99.5)
TABLE_FROM_VALUES = 8_000_000
"""16-bit pictures with so many values are rendered by a table: to sort them takes seconds, and much memory."""
TABLE_ROWS = 256

# EXIF orientation -> (quarter turns counter-clockwise, then mirror left-right) that make the picture upright.
_UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


class RenderError(ValueError):
    """The preprocessing does not fit the image; the message goes on after its name: "has 5 channels: ..."."""


@dataclass(frozen=True)
class RawPicture:
    """What an image file holds."""

    values: npt.NDArray[np.generic]
    """(H, W, C), real numbers of any type."""
    has_alpha: bool = False
    """Whether the last channel is opacity."""
    orientation: int = 1
    """EXIF orientation 1..8 that is still to be applied."""
    chosen: bool = False
    """Whether the channels are those that `Preprocessing.bands` names, in that order."""


def render(raw: RawPicture, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """The picture as a person sees it: (H, W, 3) uint8, RGB, upright, cropped.

    Raises:
        RenderError: crop or bands do not fit.
    """
    upright = _crop(_make_upright(raw.values, raw.orientation), preprocessing.crop)
    if preprocessing.bands is not None:
        chosen = upright if raw.chosen else _choose(upright, preprocessing.bands)
        # Each band is a measurement of its own, so each gets its own stretch; the colours of a photograph do not.
        planes = [to_8_bits(chosen[:, :, index], preprocessing.contrast) for index in range(chosen.shape[2])]
        return _as_rgb(np.stack(planes, axis=2))
    colors = _visible_channels(upright, has_alpha=raw.has_alpha)
    picture = _as_rgb(to_8_bits(colors, preprocessing.contrast))
    return _over_white(picture, upright[:, :, -1]) if raw.has_alpha else picture


def upright_values(raw: RawPicture, preprocessing: Preprocessing) -> npt.NDArray[np.generic]:
    """What is measured at each pixel (H, W, bands), upright and cropped, as the file's type; opacity left out.

    Raises:
        RenderError: crop or bands do not fit.
    """
    upright = _crop(_make_upright(raw.values, raw.orientation), preprocessing.crop)
    if preprocessing.bands is not None:
        return upright if raw.chosen else _choose(upright, preprocessing.bands)
    return upright[:, :, :-1] if raw.has_alpha else upright


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """(width, height) once the orientation is applied."""
    return (height, width) if orientation >= 5 else (width, height)


def cropped_size(width: int, height: int, crop: Crop) -> tuple[int, int]:
    """(width, height) of what a crop leaves of an upright picture.

    Raises:
        RenderError: nothing.
    """
    size = (width - crop.left - crop.right, height - crop.top - crop.bottom)
    if min(size) < 1:
        raise RenderError(f"has {width} x {height} pixels, of which preprocessing.crop leaves none: crop less")
    return size


def to_8_bits(values: npt.NDArray[np.generic], contrast: Contrast = "auto") -> npt.NDArray[np.uint8]:
    """Any real array as uint8; not-a-number and infinity become black.

    8 bits stay as they are unless the contrast names percentiles or values. Otherwise "none" shows the whole range of
    the type (0..1 for floats, from 0 for signed ones); "auto" stretches between the 0.5 and 99.5 percentiles, unless
    the values fit into 8 bits (or 0..1 for floats).
    """
    if values.dtype == np.uint8 and contrast in ("auto", "none"):
        return np.asarray(values, dtype=np.uint8)
    if values.dtype.kind in "iu" and values.dtype.itemsize == 2 and values.size >= TABLE_FROM_VALUES:
        return _to_8_bits_by_table(values, contrast)
    numbers = _as_floats(values)
    finite = np.isfinite(numbers)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = _black_and_white(numbers[finite], values.dtype, contrast)
    return _stretch(numbers, finite, low, high)


def _to_8_bits_by_table(values: npt.NDArray[np.generic], contrast: Contrast) -> npt.NDArray[np.uint8]:
    """The same for large 16-bit pictures, by counting values instead of sorting them, a few rows at a time."""
    least = 0 if values.dtype.kind == "u" else -32_768
    possible = np.arange(least, least + 65_536).astype(np.float32)
    blocks = [slice(top, top + TABLE_ROWS) for top in range(0, values.shape[0], TABLE_ROWS)]
    counts = np.zeros(65_536, np.int64)
    for block in blocks:
        counts += np.bincount((values[block].astype(np.int32) - least).ravel(), minlength=65_536)

    def percentiles(_numbers: npt.NDArray[np.floating], wanted: tuple[float, float]) -> tuple[float, float]:
        places = np.asarray(wanted) / 100 * (counts.sum() - 1)
        upto = np.cumsum(counts)
        below = possible[np.searchsorted(upto, np.floor(places), side="right")]
        above = possible[np.searchsorted(upto, np.ceil(places), side="right")]
        low, high = below + (above - below) * (places - np.floor(places))
        return float(low), float(high)

    low, high = _black_and_white(possible[counts > 0], values.dtype, contrast, percentiles)
    table = _stretch(possible, np.ones(possible.shape, np.bool_), low, high)
    out = np.empty(values.shape, np.uint8)
    for block in blocks:
        out[block] = table[values[block].astype(np.int32) - least]
    return out


def display_range(values: npt.NDArray[np.generic], contrast: Contrast = "auto") -> tuple[float, float]:
    """The values that `to_8_bits` makes black and white; both 0 where nothing is finite."""
    if values.dtype == np.uint8 and contrast in ("auto", "none"):
        return 0.0, 255.0
    numbers = _as_floats(values)
    finite = np.isfinite(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        return _black_and_white(numbers[finite], values.dtype, contrast) if finite.any() else (0.0, 0.0)


def percentile_range(values: npt.NDArray[np.generic]) -> tuple[float, float]:
    """The values that the automatic contrast makes black and white, whatever their type."""
    return display_range(values, Percentiles(*AUTO_PERCENTILES))


def stretch(values: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.uint8]:
    """uint8 with `low` as 0 and `high` as 255; not-a-number and infinity become black."""
    numbers = _as_floats(values)
    return _stretch(numbers, np.isfinite(numbers), low, high)


def _as_floats(values: npt.NDArray[np.generic]) -> npt.NDArray[np.floating]:
    return values.astype(np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else np.float64)


def _stretch(
    numbers: npt.NDArray[np.floating], finite: npt.NDArray[np.bool_], low: float, high: float
) -> npt.NDArray[np.uint8]:
    if not high > low:
        return np.zeros(numbers.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest that there are
        scaled = (np.where(finite, numbers, low) - low) / (high - low) * 255
    return np.asarray(np.clip(np.rint(np.nan_to_num(scaled)), 0, 255), dtype=np.uint8)


def _plain_percentiles(numbers: npt.NDArray[np.floating], percentiles: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(value) for value in np.percentile(numbers, percentiles))
    return low, high


def _black_and_white(
    numbers: npt.NDArray[np.floating],
    dtype: np.dtype[np.generic],
    contrast: Contrast,
    percentiles: Callable[[npt.NDArray[np.floating], tuple[float, float]], tuple[float, float]] = _plain_percentiles,
) -> tuple[float, float]:
    """The values that become black and white.

    Args:
        percentiles: Of what `numbers` stand for, where they are not all the values there are.
    """
    is_float = np.issubdtype(dtype, np.floating)
    match contrast:
        case ValueRange(low, high):
            return low, high
        case Percentiles(low, high):
            return _widened(numbers, percentiles(numbers, (low, high)))
        case "none":
            return 0.0, 1.0 if is_float else float(np.iinfo(dtype).max)  # type: ignore[type-var]
        case _:
            low, high = float(numbers.min()), float(numbers.max())
            if is_float and low >= 0 and high <= 1:
                return 0.0, 1.0
            if low >= 0 and high <= 255:
                return 0.0, 255.0
            return _widened(numbers, percentiles(numbers, AUTO_PERCENTILES))


def _widened(numbers: npt.NDArray[np.floating], found: tuple[float, float]) -> tuple[float, float]:
    """A few bright spots on a dark ground can put both percentiles on one value; the full range is left then."""
    low, high = found
    return (low, high) if high > low else (float(numbers.min()), float(numbers.max()))


def _make_upright(values: npt.NDArray[np.generic], orientation: int) -> npt.NDArray[np.generic]:
    quarter_turns, mirrored = _UPRIGHT.get(orientation, (0, False))
    turned = np.rot90(values, quarter_turns)
    return turned[:, ::-1] if mirrored else turned


def _crop(values: npt.NDArray[np.generic], crop: Crop) -> npt.NDArray[np.generic]:
    width, height = cropped_size(values.shape[1], values.shape[0], crop)
    return values[crop.top : crop.top + height, crop.left : crop.left + width]


def _choose(values: npt.NDArray[np.generic], bands: tuple[int, ...]) -> npt.NDArray[np.generic]:
    if max(bands) > values.shape[2]:
        raise RenderError(
            f"has {_count(values.shape[2], 'band')}, preprocessing.bands names band {max(bands)}: "
            f"choose from 1 to {values.shape[2]}"
        )
    return values[:, :, [band - 1 for band in bands]]


def _visible_channels(values: npt.NDArray[np.generic], *, has_alpha: bool) -> npt.NDArray[np.generic]:
    count = values.shape[2] - has_alpha
    if count not in (1, 3, 4):
        raise RenderError(
            f"has {values.shape[2]} channels, expected 1 (grey), 3 (RGB) or 4: say by preprocessing.bands which of "
            f"them to show, for example `bands: {'[3, 2, 1]' if values.shape[2] > 2 else '[1]'}`"
        )
    return values[:, :, : min(count, 3)]


def _as_rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


def _over_white(picture: npt.NDArray[np.uint8], alpha: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    opaque = {"uint8": 255, "uint16": 65535}.get(alpha.dtype.name, 1)
    share = np.rint(np.clip(alpha.astype(np.float32) / opaque, 0, 1) * 255).astype(np.uint16)[:, :, None]
    mixed = picture * share + 255 * (255 - share)
    return np.asarray((mixed + 127) // 255, dtype=np.uint8)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)
