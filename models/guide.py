"""What refinement looks at of a picture: the same for all predictions of it on the same grid."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.color_fit import GridColors

FloatArray = npt.NDArray[np.float32]

SMOOTHER_LAMBDA = 4.0
"""Strength of the smoothing, in squared cells, on a grid of `SMOOTHER_CELLS`; on a coarser one, where a cell holds more
of an object, as much less as it has fewer cells."""
SMOOTHER_CELLS = 128 * 128
SMOOTHER_SIGMA_COLOR = 8.0
"""Difference of colour, of 255, across which the smoothed part changes freely."""
MEDIAN_PX = 3
"""Window of the median filter that takes single noisy pixels out of the guide."""
FILTER_TABLE_BYTES, FILTER_CELL_BYTES = 4 * 3 * 256**2, 4 * 3
"""What OpenCV's smoother keeps (fast_global_smoother_filter.cpp of its contrib modules): a weight for each squared
difference of two colours, and three values a cell."""
SPLIT_PIXELS_PER_CELL = 8
"""Larger cells (along a side) are averaged in two steps, so that a large picture is never held as floats."""


class Smoother:
    """Smooths planes (Hp, Wp) where the colours of the cells (3, Hp, Wp) do not change; from many threads."""

    def __init__(self, cells: FloatArray) -> None:
        rows, columns = cells.shape[1:]
        colors = np.ascontiguousarray(np.moveaxis(np.rint(cells), 0, -1), dtype=np.uint8)
        strength = SMOOTHER_LAMBDA * rows * columns / SMOOTHER_CELLS
        # OpenCV has none for strips.
        self._filter = (
            cv2.ximgproc.createFastGlobalSmootherFilter(colors, strength, SMOOTHER_SIGMA_COLOR)
            if min(rows, columns) > 1
            else None
        )
        self.nbytes = 0 if self._filter is None else FILTER_TABLE_BYTES + FILTER_CELL_BYTES * rows * columns
        # While it filters, OpenCV's object changes itself.
        self._lock = threading.Lock()

    def smooth(self, plane: FloatArray) -> FloatArray:
        """The plane itself if it is but a strip."""
        if self._filter is None:
            return plane
        with self._lock:
            return np.asarray(self._filter.filter(plane), dtype=np.float32)


@dataclass(frozen=True)
class Guide:
    """Colours of a picture on pixels and on a grid."""

    planes: npt.NDArray[np.uint8]
    """(3, H, W)"""
    grid: tuple[int, int]
    """Rows and columns of the prediction's grid; the colours' has no more than the picture has pixels."""
    center: FloatArray
    """(3,), mean colour."""
    colors: GridColors
    """Of the cells, less that mean."""
    smoother: Smoother

    @property
    def height(self) -> int:
        """Of the picture."""
        return int(self.planes.shape[1])

    @property
    def width(self) -> int:
        """Of the picture."""
        return int(self.planes.shape[2])

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.planes.nbytes + self.colors.nbytes + self.smoother.nbytes


def make_guide(picture: npt.NDArray[np.uint8], grid: Sequence[int]) -> Guide:
    """Of a picture (H, W, 3) RGB, for logits (K, *grid).

    Roots of the values, as the noise of a camera then is the same in dark and bright places, with single pixels that
    stand out removed.
    """
    roots = np.rint(np.sqrt(np.arange(256) * 255.0)).astype(np.uint8)
    smooth = cv2.medianBlur(picture, MEDIAN_PX)
    pixels = np.asarray(cv2.LUT(smooth, roots, dst=smooth), dtype=np.uint8)
    rows, columns = grid
    cells = _cell_means(pixels, min(columns, pixels.shape[1]), min(rows, pixels.shape[0]))
    center = cells.mean(axis=(1, 2))
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    colors = GridColors.of(cells - center[:, None, None])
    return Guide(planes, (rows, columns), center, colors, Smoother(cells))


def _cell_means(pixels: npt.NDArray[np.uint8], columns: int, rows: int) -> FloatArray:
    """Mean colours (3, Hp, Wp) of the cells, not rounded."""
    height, width = pixels.shape[:2]
    within = (min(width, columns * SPLIT_PIXELS_PER_CELL), min(height, rows * SPLIT_PIXELS_PER_CELL))
    if within != (width, height):
        pixels = np.asarray(cv2.resize(pixels, within, interpolation=cv2.INTER_AREA))
    means = cv2.resize(pixels.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(means.reshape(rows, columns, 3), -1, 0))
