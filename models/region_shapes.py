"""Where a region of an image lies, in four forms, and which pixels that covers.

Coordinates are pixels of the upright original image, origin top-left. A pixel belongs to a shape when its centre does:
within `radius` of a stroke's line, inside an odd number of a polygon's rings, left edge in and right edge out of a box.
What lies outside of the image is cut off when it is painted, and kept as it was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import ShapeError
from models.raster_spans import Floats, capsule_spans, frame, rows_between, x_at
from models.run_lengths import decode_runs, encode_runs

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint16]

DECIMALS = 2
"""Of a pixel, that are kept: less than anybody can point at."""
SMALLEST_RADIUS = math.sqrt(0.5)
"""A stroke covers the pixel below its line, however thin it is."""
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
        box = frame(low, high, width, height)
        if box is None:
            return None
        left, top, right, bottom = box
        start, end = (points, points) if len(points) == 1 else (points[:-1], points[1:])
        depth = np.zeros((bottom - top, right - left + 1), dtype=np.int16)
        for rows, first, last in capsule_spans(start, end, radius, box):
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
        box = frame(corners.min(axis=0), corners.max(axis=0), width, height)
        if box is None:
            return None
        left, top, right, bottom = box
        start, end = corners, np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
        is_inside = np.zeros((bottom - top, right - left + 1), dtype=np.uint8)
        low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
        for edge, row in rows_between(low, high, top, bottom):
            x = x_at(start[edge], end[edge], row + 0.5)
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
        box = frame(low, low + np.array([self.width, self.height]) * scale, width, height)
        if box is None:
            return None
        left, top, right, bottom = box
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
