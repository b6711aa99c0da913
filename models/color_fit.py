"""How values on the feature grid follow the colours of its cells: linear models of small windows, and their worth.

Colours (3, Hp, Wp) are deviations from the mean colour of the picture. What depends on them alone (`GridColors`) serves
all predictions of a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Planes = TypeVar("Planes", FloatArray, Doubles)
Item = TypeVar("Item")
Found = TypeVar("Found")

WINDOW_RADIUS = 5
"""Cells on either side of the one whose fit it is."""
RIDGE = 0.003
"""Of the mean variance of a colour channel over the picture."""
LEAST_RIDGE = 0.25
"""In squared levels of the guide: what rounding to 8 bits leaves open, and a little more."""
EXPLAINED_FROM, EXPLAINED_FULLY = 0.2, 0.6
"""Share of the variance at which the fit begins to count, and at which it counts fully."""
FORETOLD_FULLY = 0.8
"""Correlation, between what the coarser fit foretells and what is there, at which the picture's fits count fully."""
LEAST_VARIANCE = 1e-4
"""Of a probability: less needs no explanation."""
UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Elements of a symmetric 3 x 3 matrix that are kept."""
DIAGONAL = [0, 3, 5]
THREADS = 2


@dataclass(frozen=True)
class Windows:
    """Colours in the window of each cell."""

    radius: int
    cells: FloatArray
    """(3, Hp, Wp)"""
    mean: FloatArray
    """(3, Hp, Wp)"""
    inverse: FloatArray
    """Of the covariance plus a ridge: its `UPPER` elements (6, Hp, Wp)."""

    @classmethod
    def of(cls, cells: FloatArray, radius: int) -> Windows:
        ridge = max(RIDGE * float(np.square(cells).mean()), LEAST_RIDGE)
        return cls(radius, cells, _blur(cells, radius), _inverse(_moments(cells, radius, ridge)))


@dataclass(frozen=True)
class GridColors:
    """Colours on the grid, and on one of cells twice the size."""

    fine: Windows
    coarse: Windows
    detail: FloatArray
    """(3, Hp, Wp), what the coarse ones do not show."""

    @classmethod
    def of(cls, cells: FloatArray) -> GridColors:
        rows, columns = cells.shape[1:]
        coarse = _each(cells, max(1, columns // 2), max(1, rows // 2), cv2.INTER_AREA)
        detail = cells - _each(coarse, columns, rows, cv2.INTER_LINEAR)
        return cls(Windows.of(cells, WINDOW_RADIUS), Windows.of(coarse, WINDOW_RADIUS // 2), detail)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        parts = (
            part for windows in (self.fine, self.coarse) for part in (windows.cells, windows.mean, windows.inverse)
        )
        return self.detail.nbytes + sum(part.nbytes for part in parts)


@dataclass(frozen=True)
class ColorModel:
    """A linear model of K values in three colours around each cell."""

    slopes: FloatArray
    """(K, 3, Hp, Wp)"""
    offsets: FloatArray
    """(K, Hp, Wp)"""
    share: FloatArray
    """(Hp, Wp), how far the model counts."""


@dataclass(frozen=True)
class _PlaneFit:
    """Of one value; all (Hp, Wp) but the slopes (3, Hp, Wp)."""

    slopes: FloatArray
    offset: FloatArray
    explained: FloatArray
    variance: FloatArray


def fit_colors(windows: Windows, values: FloatArray) -> ColorModel:
    """Least squares with a ridge in the window of each cell; then each cell gets the mean model of its window.

    The models of all values (K, Hp, Wp) count alike: where the values sum to one, so do those of the models.
    """
    fits = each_plane(partial(_fit_plane, windows), values)
    explained = np.add.reduce([fit.explained for fit in fits])
    variance = np.add.reduce([fit.variance for fit in fits]) + LEAST_VARIANCE
    counted = np.clip((explained / variance - EXPLAINED_FROM) / (EXPLAINED_FULLY - EXPLAINED_FROM), 0, 1)
    share = _blur(counted[None], windows.radius)[0]
    weight = 1 / (share + 1e-6)
    slopes, offsets = np.empty((len(values), *windows.cells.shape), np.float32), np.empty_like(values)

    def average(index: int) -> None:
        slopes[index] = _blur(fits[index].slopes * counted, windows.radius) * weight
        offsets[index] = _blur((fits[index].offset * counted)[None], windows.radius)[0] * weight

    each_plane(average, range(len(values)))
    return ColorModel(slopes, offsets, share)


def _fit_plane(windows: Windows, value: FloatArray) -> _PlaneFit:
    mean = _blur(value[None], windows.radius)[0]
    joint = _blur(windows.cells * value, windows.radius) - windows.mean * mean
    slopes = _times(windows.inverse, joint)
    variance = np.maximum(_blur((value * value)[None], windows.radius)[0] - mean * mean, 0)
    return _PlaneFit(slopes, mean - along(slopes, windows.mean), along(slopes, joint), variance)


def each_plane(work: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What `work` makes of each, in threads: OpenCV and NumPy let the others go on meanwhile."""
    todo = list(items)
    if len(todo) < 2:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(THREADS, len(todo)), "planes") as pool:
        return list(pool.map(work, todo))


def along(slopes: FloatArray, colors: FloatArray) -> FloatArray:
    """Sums (Hp, Wp) over the three channels of slopes (3, Hp, Wp) times colours (3, Hp, Wp)."""
    sums: FloatArray = slopes[0] * colors[0] + slopes[1] * colors[1] + slopes[2] * colors[2]
    return sums


def _moments(cells: FloatArray, radius: int, ridge: float) -> Doubles:
    """Covariances of the colours in each window, as their `UPPER` elements (6, Hp, Wp), plus a ridge.

    In double precision: the three channels of a grey picture are one, and of such a matrix single precision may find
    the determinant to be zero.
    """
    exact = cells.astype(np.float64)
    mean = _blur(exact, radius)
    first, second = np.array(UPPER).T
    moments: Doubles = _blur(exact[first] * exact[second], radius) - mean[first] * mean[second]
    moments[DIAGONAL] += ridge
    return moments


def _inverse(upper: Doubles) -> FloatArray:
    """Of symmetric positive 3 x 3 matrices, as their `UPPER` elements (6, Hp, Wp) like the result."""
    a, b, c, d, e, f = upper
    adjugate = np.stack([d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b])
    return np.asarray(adjugate / (a * adjugate[0] + b * adjugate[1] + c * adjugate[2]), dtype=np.float32)


def _times(upper: FloatArray, vector: FloatArray) -> FloatArray:
    """Symmetric matrices (6, Hp, Wp) times vectors (3, Hp, Wp)."""
    a, b, c, d, e, f = upper
    x, y, z = vector
    return np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z])


def foretold(colors: GridColors, values: FloatArray) -> float:
    """How far details follow the colours in this picture, 0 to 1: judged on cells of twice the size, where it shows."""
    rows, columns = values.shape[1:]
    coarse_rows, coarse_columns = colors.coarse.cells.shape[1:]
    coarse_values = _each(values, coarse_columns, coarse_rows, cv2.INTER_AREA)
    model = fit_colors(colors.coarse, coarse_values)

    def compare(index: int) -> FloatArray:
        slopes = _each(model.slopes[index] * model.share, columns, rows, cv2.INTER_LINEAR)
        expected = along(slopes, colors.detail).ravel()
        actual = (values[index] - _resized(coarse_values[index], columns, rows, cv2.INTER_LINEAR)).ravel()
        return np.array([expected @ actual, expected @ expected, actual @ actual])

    both, own, other = np.sum(each_plane(compare, range(len(values))), axis=0) / values.size
    return float(np.clip(both / (np.sqrt(own * other) + 1e-5) / FORETOLD_FULLY, 0, 1))


def _each(planes: FloatArray, columns: int, rows: int, interpolation: int) -> FloatArray:
    """Planes (N, ...) at another size (N, rows, columns)."""
    return np.stack([_resized(plane, columns, rows, interpolation) for plane in planes])


def _resized(plane: FloatArray, columns: int, rows: int, interpolation: int) -> FloatArray:
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=interpolation), dtype=np.float32)


def _blur(planes: Planes, radius: int) -> Planes:
    """Means over windows of planes (N, Hp, Wp)."""
    size = (2 * radius + 1, 2 * radius + 1)
    return np.stack([cv2.blur(plane, size, borderType=cv2.BORDER_REFLECT) for plane in planes])
