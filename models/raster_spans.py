"""Which pixels lie between lines: row by row, the columns from where to where.

Coordinates are pixels, origin top-left; a pixel counts by its centre.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating[Any]]

SPANS_AT_ONCE = 1 << 21
"""That are in memory."""


def frame(low: Floats, high: Floats, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the pixels of a raster between two corners; None where there are none."""
    left, top = max(0, math.floor(low[0])), max(0, math.floor(low[1]))
    right, bottom = min(width, math.ceil(high[0]) + 1), min(height, math.ceil(high[1]) + 1)
    return None if left >= right or top >= bottom else (left, top, right, bottom)


def rows_between(
    low: Floats, high: Floats, top: int, bottom: int
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(index, row) of each row whose centre is in [low, high) of that index; some at a time."""
    first = np.clip(np.ceil(low - 0.5), top, bottom).astype(np.intp)
    counts = np.clip(np.ceil(high - 0.5), top, bottom).astype(np.intp) - first
    totals = np.cumsum(counts)
    begin = 0
    while begin < len(low):
        done = totals[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + SPANS_AT_ONCE, side="right")))
        part = counts[begin:end]
        index = np.repeat(np.arange(begin, end), part)
        yield index, first[index] + np.arange(len(index)) - np.repeat(np.cumsum(part) - part, part)
        begin = end


def x_at(start: Floats, end: Floats, y: AnyFloats) -> Floats:
    """Where the lines from start to end (N, 2) are at heights y (N,)."""
    slope = (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    return np.asarray(start[:, 0] + (y - start[:, 1]) * slope)


def capsule_spans(
    start: Floats, end: Floats, radius: float, box: tuple[int, int, int, int]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(row, first column, column behind the last) of what each segment covers of each row: one span, it is convex.

    Args:
        box: Pixels that count, as `frame` gives them; the result counts from its corner.
    """
    left, top, right, bottom = box
    low = np.minimum(start[:, 1], end[:, 1]) - radius
    high = np.maximum(start[:, 1], end[:, 1]) + radius
    for index, row in rows_between(low, np.nextafter(high, np.inf), top, bottom):
        x_low, x_high = _chord(start[index], end[index], radius, row + 0.5)
        first = np.clip(np.ceil(x_low - 0.5), left, right).astype(np.intp) - left
        last = np.clip(np.floor(x_high - 0.5) + 1, left, right).astype(np.intp) - left
        kept = first < last
        yield row[kept] - top, first[kept], last[kept]


def _chord(a: Floats, b: Floats, radius: float, y: AnyFloats) -> tuple[Floats, Floats]:
    """The part (from, to) of the line at height y within `radius` of the segment from a to b; from > to for none."""
    x_low, x_high = np.full(len(y), np.inf), np.full(len(y), -np.inf)
    for centre in (a, b):
        half = radius**2 - (y - centre[:, 1]) ** 2
        reach = np.sqrt(np.maximum(half, 0.0))
        x_low = np.where(half >= 0, np.minimum(x_low, centre[:, 0] - reach), x_low)
        x_high = np.where(half >= 0, np.maximum(x_high, centre[:, 0] + reach), x_high)
    along = b - a
    length = np.hypot(along[:, 0], along[:, 1])
    is_line = length > 0
    side = np.zeros_like(along)
    side[is_line] = np.stack([-along[is_line, 1], along[is_line, 0]], axis=1) * (radius / length[is_line, None])
    corners = (a + side, b + side, b - side, a - side)
    for p, q in zip(corners, (*corners[1:], corners[0]), strict=True):
        low, high = np.minimum(p[:, 1], q[:, 1]), np.maximum(p[:, 1], q[:, 1])
        crosses = is_line & (low <= y) & (y <= high) & (high > low)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = x_at(p, q, y)
        x_low = np.where(crosses, np.minimum(x_low, x), x_low)
        x_high = np.where(crosses, np.maximum(x_high, x), x_high)
    return x_low, x_high
