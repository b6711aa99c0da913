"""The one place that maps image pixels to feature cells and back.

An image of W x H pixels is resized, without cropping or padding, to sides that are multiples of the extractor's
`size_multiple`; cells of `patch_size` pixels tile that resized image exactly. So image and grid cover the same
rectangle, and every mapping is one linear scaling per axis, with pixel edges (not centres) as the common frame:
image x in [0, W] <-> grid u in [0, Wp], and (0.5, 0.5) is the centre of the first pixel or cell in its own frame.
The same holds between any two rasters of one image (a map, a thumbnail, the picture on the screen): `scale_between`.
The image is what preprocessing leaves of the file: upright, counted from the corner of its crop.
frontend/src/state/geometry.ts mirrors the scaling; tests/models/geometry_vectors.json holds both to the same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.base import ExtractorInfo


@dataclass(frozen=True)
class Grid:
    """The feature grid of one image."""

    image_width: int
    image_height: int
    """Upright original image, pixels."""
    input_width: int
    input_height: int
    """The resized image that the network sees, pixels."""
    width: int
    height: int
    """Wp and Hp, cells."""

    def to_grid(self, xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Continuous grid coordinates (..., 2) of image coordinates (..., 2), both as (x, y) from the top-left edge."""
        return np.asarray(xy, dtype=np.float64) * self._scale

    def to_image(self, uv: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Image coordinates (..., 2) of continuous grid coordinates (..., 2); inverse of `to_grid`."""
        return np.asarray(uv, dtype=np.float64) / self._scale

    def cell(self, xy: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Index (..., 2) as (column, row) of the cell that covers each image point.

        A point on the right or bottom edge belongs to the last cell.
        """
        limit = (self.width - 1, self.height - 1)
        return np.clip(np.floor(self.to_grid(xy)), 0, limit).astype(np.intp)

    def contains(self, x: float, y: float) -> bool:
        """Whether an image point lies on the image, edges included."""
        return 0 <= x <= self.image_width and 0 <= y <= self.image_height

    @property
    def _scale(self) -> npt.NDArray[np.float64]:
        return scale_between((self.image_width, self.image_height), (self.width, self.height))


def make_grid(width: int, height: int, info: ExtractorInfo) -> Grid:
    """The grid of an upright image of `width` x `height` pixels.

    The longest side becomes `info.resize`; each side is then rounded to the nearest multiple, at least one, by exact
    integer arithmetic: scaling by a truncated float would give 1535 instead of 1536 for many widths.
    """
    if width < 1 or height < 1:
        raise ValueError(f"an image has at least 1 x 1 pixels, found {width} x {height}")
    longest = max(width, height)
    input_width, input_height = (
        _nearest_multiple(side * info.resize, longest, info.size_multiple) for side in (width, height)
    )
    return Grid(
        image_width=width,
        image_height=height,
        input_width=input_width,
        input_height=input_height,
        width=input_width // info.patch_size,
        height=input_height // info.patch_size,
    )


def _nearest_multiple(numerator: int, denominator: int, multiple: int) -> int:
    """The multiple nearest to numerator / denominator, halves up, at least one multiple."""
    unit = denominator * multiple
    return max(1, (2 * numerator + unit) // (2 * unit)) * multiple


def scale_between(source: tuple[int, int], target: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Factors (x, y) that take coordinates on one raster to those on another one that covers the same rectangle.

    Args:
        source: (width, height), as `target`.
    """
    return np.array([target[0] / source[0], target[1] / source[1]])


def halved(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the next level of a pyramid: an odd last column or row is kept."""
    return (width + 1) // 2, (height + 1) // 2


def fit_within(width: int, height: int, max_side: int, *, least: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """(width, height) with the longest side at most `max_side`, of nearly the same shape; never enlarged.

    Args:
        least: (width, height) below which a side does not shrink: in an image 500 times as long as wide the short side
            would lose what lies across it.
    """
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return tuple(  # type: ignore[return-value]
        min(side, max(_nearest_multiple(side * max_side, longest, 1), minimum))
        for side, minimum in zip((width, height), least, strict=True)
    )


def resample(plane: npt.NDArray[Any], width: int, height: int) -> npt.NDArray[Any]:
    """A plane (H, W) at another size (height, width), interpolated between pixel centres with clamped edges.

    Means to enlarge: where it shrinks, it samples and does not average.
    """
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))


class CellValues(Protocol):
    """A map (Hp, Wp, C) that gives the values of single cells: an array, or stored features that are not read yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Hp, Wp, C)"""
        ...

    def __getitem__(self, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], /) -> npt.NDArray[np.floating]:
        """Values (N, C) of the cells with these rows (N,) and columns (N,)."""
        ...


def sample_bilinear(feature_map: CellValues, uv: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Values (N, C) of a map (Hp, Wp, C) at continuous grid coordinates (N, 2), interpolated between cell centres.

    Beyond the outermost centres the border value holds, as in an upsampling with clamped edges.
    """
    height, width = feature_map.shape[:2]
    u = np.clip(uv[:, 0] - 0.5, 0, width - 1)
    v = np.clip(uv[:, 1] - 0.5, 0, height - 1)
    left, top = np.floor(u).astype(np.intp), np.floor(v).astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    du, dv = (u - left)[:, None].astype(np.float32), (v - top)[:, None].astype(np.float32)
    upper = feature_map[top, left] * (1 - du) + feature_map[top, right] * du
    lower = feature_map[bottom, left] * (1 - du) + feature_map[bottom, right] * du
    return np.asarray(upper * (1 - dv) + lower * dv, dtype=np.float32)
