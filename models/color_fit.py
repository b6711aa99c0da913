"""How values on the feature grid follow the colours of its cells: linear models of small windows, and their worth.

Colours (3, Hp, Wp) are deviations from the mean colour of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Planes = TypeVar("Planes", FloatArray, Doubles)

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


@dataclass(frozen=True)
class ColorModel:
    """A linear model of K values in three colours around each cell."""

    slopes: FloatArray
    """(K, 3, Hp, Wp)"""
    offsets: FloatArray
    """(K, Hp, Wp)"""
    share: FloatArray
    """(Hp, Wp), how far the model counts."""


def fit_colors(cells: FloatArray, values: FloatArray, radius: int = WINDOW_RADIUS) -> ColorModel:
    """Least squares with a ridge in the window of each cell; then each cell gets the mean model of its window.

    The models of all values (K, Hp, Wp) count alike: where the values sum to one, so do those of the models.
    """
    mean_color, mean_value = _blur(cells, radius), _blur(values, radius)
    inverse = _inverse(_moments(cells, radius, max(RIDGE * float(np.square(cells).mean()), LEAST_RIDGE)))
    slopes = np.empty((len(values), *cells.shape), np.float32)
    explained, variance = np.zeros_like(cells[0]), np.full_like(cells[0], LEAST_VARIANCE)
    for index, (value, mean) in enumerate(zip(values, mean_value, strict=True)):
        joint = _blur(cells * value, radius) - mean_color * mean
        slopes[index] = _times(inverse, joint)
        explained += np.einsum("chw,chw->hw", slopes[index], joint)
        variance += np.maximum(_blur((value * value)[None], radius)[0] - mean * mean, 0)
    counted = np.clip((explained / variance - EXPLAINED_FROM) / (EXPLAINED_FULLY - EXPLAINED_FROM), 0, 1)
    offsets = mean_value - along(slopes, mean_color)
    share = _blur(counted[None], radius)[0]
    scale = 1 / (share + 1e-6)
    averaged = [_blur(slope * counted, radius) * scale for slope in slopes]
    return ColorModel(np.stack(averaged), _blur(offsets * counted, radius) * scale, share)


def along(slopes: FloatArray, colors: FloatArray) -> FloatArray:
    """Sums (K, Hp, Wp) over the three channels of slopes (K, 3, Hp, Wp) times colours (3, Hp, Wp)."""
    sums: FloatArray = slopes[:, 0] * colors[0] + slopes[:, 1] * colors[1] + slopes[:, 2] * colors[2]
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


def foretold(cells: FloatArray, values: FloatArray) -> float:
    """How far details follow the colours in this picture, 0 to 1: judged on cells of twice the size, where it shows."""
    rows, columns = cells.shape[1:]
    coarse = (max(1, columns // 2), max(1, rows // 2))
    coarse_cells, coarse_values = (_each(x, *coarse, cv2.INTER_AREA) for x in (cells, values))
    model = fit_colors(coarse_cells, coarse_values, WINDOW_RADIUS // 2)
    detail = cells - _each(coarse_cells, columns, rows, cv2.INTER_LINEAR)
    actual = values - _each(coarse_values, columns, rows, cv2.INTER_LINEAR)
    slopes = (model.slopes * model.share).reshape(-1, *model.share.shape)
    expected = along(_each(slopes, columns, rows, cv2.INTER_LINEAR).reshape(-1, *cells.shape), detail)
    both, own, other = (float(np.mean(x)) for x in (expected * actual, expected * expected, actual * actual))
    return float(np.clip(both / (np.sqrt(own * other) + 1e-5) / FORETOLD_FULLY, 0, 1))


def _each(planes: FloatArray, columns: int, rows: int, interpolation: int) -> FloatArray:
    """Planes (N, ...) at another size (N, rows, columns)."""
    resized = [cv2.resize(plane, (columns, rows), interpolation=interpolation) for plane in planes]
    return np.asarray(np.stack(resized), dtype=np.float32)


def _blur(planes: Planes, radius: int) -> Planes:
    """Means over windows of planes (N, Hp, Wp)."""
    size = (2 * radius + 1, 2 * radius + 1)
    return np.stack([cv2.blur(plane, size, borderType=cv2.BORDER_REFLECT) for plane in planes])
