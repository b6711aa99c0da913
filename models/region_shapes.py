"""Where a region of an image lies, in four forms, and which pixels that covers.

Coordinates are pixels of the upright original image, origin top-left. A pixel belongs to a shape when its centre does:
within `radius` of a stroke's line, inside an odd number of a polygon's rings, left edge in and right edge out of a box.
What lies outside of the image is cut off when it is painted, and kept as it was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import ShapeError
from models.run_lengths import decode_runs, encode_runs

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.uint16]

DECIMALS = 2
"""Of a pixel, that are kept: less than anybody can point at."""
SMALLEST_RADIUS = math.sqrt(0.5)
"""A stroke covers the pixel below its line, however thin it is."""
SPANS_AT_ONCE = 1 << 21
WHOLE = (1.0, 1.0)


@dataclass(frozen=True)
class Covered:
    """The pixels of a raster that a shape covers."""

    top: int
    left: int
    pixels: Bools
    """(h, w)"""

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the raster that `pixels` lie on."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True)
class Stroke:
    """A line drawn by a round brush."""

    points: Floats
    """(N, 2), at least one."""
    radius: float

    kind = "stroke"

    def to_json(self) -> dict[str, Any]:
        """As it is kept and sent."""
        return {"points": self.points.tolist(), "radius": self.radius}

    def moved(self, dx: float, dy: float) -> Stroke:
        """The same elsewhere."""
        return Stroke(rounded(self.points + np.array([dx, dy])), self.radius)

    def cover(self, width: int, height: int, scale: tuple[float, float] = WHOLE) -> Covered | None:
        """What it covers of a raster; None for nothing.

        Args:
            scale: Factors (x, y) from the image to the raster.
        """
        points = self.points * scale
        radius = max(self.radius * math.sqrt(scale[0] * scale[1]), SMALLEST_RADIUS)
        low, high = points.min(axis=0) - radius, points.max(axis=0) + radius
        frame = _frame(low, high, width, height)
        if frame is None:
            return None
        left, top, right, bottom = frame
        start, end = (points, points) if len(points) == 1 else (points[:-1], points[1:])
        depth = np.zeros((bottom - top, right - left + 1), dtype=np.int16)
        for rows, first, last in _capsule_spans(start, end, radius, frame):
            np.add.at(depth, (rows, first), 1)
            np.add.at(depth, (rows, last), -1)
        np.cumsum(depth, axis=1, out=depth)
        return Covered(top, left, depth[:, :-1] > 0)


@dataclass(frozen=True)
class Polygon:
    """Rings; a ring inside of another one is a hole in it."""

    rings: tuple[Floats, ...]
    """(N, 2) each, three corners at least; the last is not the first again."""

    kind = "polygon"

    def to_json(self) -> dict[str, Any]:
        """As it is kept and sent."""
        return {"rings": [ring.tolist() for ring in self.rings]}

    def moved(self, dx: float, dy: float) -> Polygon:
        """The same elsewhere."""
        return Polygon(tuple(rounded(ring + np.array([dx, dy])) for ring in self.rings))

    def cover(self, width: int, height: int, scale: tuple[float, float] = WHOLE) -> Covered | None:
        """See Stroke."""
        rings = [ring * scale for ring in self.rings]
        corners = np.concatenate(rings)
        frame = _frame(corners.min(axis=0), corners.max(axis=0), width, height)
        if frame is None:
            return None
        left, top, right, bottom = frame
        start, end = corners, np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
        is_inside = np.zeros((bottom - top, right - left + 1), dtype=np.uint8)
        low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
        for edge, row in _rows_between(low, high, top, bottom):
            x = _x_at(start[edge], end[edge], row + 0.5)
            column = np.clip(np.ceil(x - 0.5), left, right).astype(np.intp) - left
            np.bitwise_xor.at(is_inside, (row - top, column), 1)
        np.bitwise_xor.accumulate(is_inside, axis=1, out=is_inside)
        return Covered(top, left, is_inside[:, :-1].astype(bool))


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x0: float
    y0: float
    x1: float
    y1: float

    kind = "box"

    def to_json(self) -> dict[str, Any]:
        """As it is kept and sent."""
        return {"x0": self.x0, "y0": self.y0, "x1": self.x1, "y1": self.y1}

    def moved(self, dx: float, dy: float) -> Box:
        """The same elsewhere."""
        x0, y0, x1, y1 = rounded(np.array([self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy])).tolist()
        return Box(x0, y0, x1, y1)

    def cover(self, width: int, height: int, scale: tuple[float, float] = WHOLE) -> Covered | None:
        """See Stroke."""
        low, high = np.array([self.x0, self.y0]) * scale, np.array([self.x1, self.y1]) * scale
        left, top = (max(0, math.ceil(value - 0.5)) for value in low)
        right, bottom = (min(side, math.ceil(value - 0.5)) for value, side in zip(high, (width, height), strict=True))
        if left >= right or top >= bottom:
            return None
        return Covered(top, left, np.ones((bottom - top, right - left), dtype=bool))


@dataclass(frozen=True)
class Mask:
    """Pixels, one by one."""

    x: int
    y: int
    """Of the first pixel of the rectangle that the mask fills."""
    height: int
    width: int
    counts: str
    """COCO's compressed run lengths of that rectangle."""

    kind = "mask"

    def to_json(self) -> dict[str, Any]:
        """As it is kept and sent."""
        return {"x": self.x, "y": self.y, "size": [self.height, self.width], "counts": self.counts}

    def moved(self, dx: float, dy: float) -> Mask:
        """The same elsewhere, by whole pixels."""
        return Mask(self.x + round(dx), self.y + round(dy), self.height, self.width, self.counts)

    @property
    def pixels(self) -> Bools:
        """(height, width)"""
        return decode_runs(self.counts, self.height, self.width)

    def cover(self, width: int, height: int, scale: tuple[float, float] = WHOLE) -> Covered | None:
        """See Stroke."""
        low = np.array([self.x, self.y]) * scale
        frame = _frame(low, low + np.array([self.width, self.height]) * scale, width, height)
        if frame is None:
            return None
        left, top, right, bottom = frame
        columns = np.floor((np.arange(left, right) + 0.5) / scale[0]).astype(np.intp) - self.x
        rows = np.floor((np.arange(top, bottom) + 0.5) / scale[1]).astype(np.intp) - self.y
        inside_x, inside_y = (columns >= 0) & (columns < self.width), (rows >= 0) & (rows < self.height)
        if not inside_x.any() or not inside_y.any():
            return None
        found = self.pixels[np.ix_(rows[inside_y], columns[inside_x])]
        return Covered(top + int(inside_y.argmax()), left + int(inside_x.argmax()), found)


Shape = Stroke | Polygon | Box | Mask


def shape_of(kind: str, geometry: Mapping[str, Any]) -> Shape:
    """What `to_json` wrote. Trusts it: for what comes from outside there is models/region_checks.py."""
    match kind:
        case "stroke":
            return Stroke(np.array(geometry["points"], dtype=np.float64).reshape(-1, 2), float(geometry["radius"]))
        case "polygon":
            return Polygon(tuple(np.array(ring, dtype=np.float64).reshape(-1, 2) for ring in geometry["rings"]))
        case "box":
            return Box(*(float(geometry[key]) for key in ("x0", "y0", "x1", "y1")))
        case "mask":
            height, width = geometry["size"]
            return Mask(int(geometry["x"]), int(geometry["y"]), int(height), int(width), geometry["counts"])
    raise ShapeError(f"found the kind {kind!r}, expected stroke, polygon, box or mask")


def mask_of(pixels: Bools, left: int = 0, top: int = 0) -> Mask | None:
    """The mask of pixels (H, W), the first one at (left, top) of the image, cut to what is set; None for nothing."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Mask(left + int(columns[0]), top + int(rows[0]), cut.shape[0], cut.shape[1], encode_runs(cut))


def compose(painted: Iterable[tuple[Shape, int]], width: int, height: int) -> Labels:
    """The label map (H, W) that shapes make, painted one over the other with their values; 0 where none is."""
    labels = np.zeros((height, width), dtype=np.uint16)
    for shape, value in painted:
        paint(labels, shape.cover(width, height), value)
    return labels


def paint(labels: Labels, covered: Covered | None, value: int) -> None:
    """Put a value on what is covered."""
    if covered is not None:
        labels[covered.place][covered.pixels] = value


def rounded(values: Floats) -> Floats:
    """As coordinates are kept."""
    return np.round(values, DECIMALS) + 0.0


def _frame(low: Floats, high: Floats, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the pixels of a raster between two corners; None where there are none."""
    left, top = max(0, math.floor(low[0])), max(0, math.floor(low[1]))
    right, bottom = min(width, math.ceil(high[0]) + 1), min(height, math.ceil(high[1]) + 1)
    return None if left >= right or top >= bottom else (left, top, right, bottom)


def _rows_between(
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


def _x_at(start: Floats, end: Floats, y: AnyFloats) -> Floats:
    slope = (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    return np.asarray(start[:, 0] + (y - start[:, 1]) * slope)


def _capsule_spans(
    start: Floats, end: Floats, radius: float, frame: tuple[int, int, int, int]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(row, first column, column behind the last) of what each segment covers of each row: one span, it is convex."""
    left, top, right, bottom = frame
    low = np.minimum(start[:, 1], end[:, 1]) - radius
    high = np.maximum(start[:, 1], end[:, 1]) + radius
    for index, row in _rows_between(low, np.nextafter(high, np.inf), top, bottom):
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
            x = _x_at(p, q, y)
        x_low = np.where(crosses, np.minimum(x_low, x), x_low)
        x_high = np.where(crosses, np.maximum(x_high, x), x_high)
    return x_low, x_high
