"""Shapes of regions that come from outside: put in order, or refused with what is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.errors import ShapeError
from models.raster_spans import Floats
from models.region_shapes import DECIMALS, Box, Mask, Polygon, Shape, Stroke, rounded, shape_of
from models.run_lengths import cut_runs

MAX_VERTICES = 10_000
"""Of a stroke, or of all rings of a polygon."""
MAX_COUNTS = 4_000_000
"""Characters of a mask's run lengths."""
LARGE_AREA = 1 << 20
"""Pixels."""
FAR_OUTSIDE = 1_000_000.0
"""Coordinates beyond this are a mistake, whatever the image."""


def checked_shape(kind: str, geometry: Mapping[str, Any], width: int, height: int) -> Shape:
    """The shape that somebody sent, to be kept with an image of that size; rounded, and put in order.

    Raises:
        ShapeError: it is no such shape, or covers nothing of the image.
    """
    try:
        shape = shape_of(kind, geometry)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"the geometry of a {kind} cannot be read ({' '.join(str(error).split())[:120]})") from error
    match shape:
        case Stroke():
            shape = _checked_stroke(shape)
        case Polygon():
            shape = _checked_polygon(shape)
        case Box():
            shape = _checked_box(shape)
        case Mask():
            shape = _checked_mask(shape, width, height)
    _require_inside(shape, width, height)
    return shape


def _checked_stroke(shape: Stroke) -> Stroke:
    _require_vertices("a stroke", len(shape.points), 1)
    _require_finite("a stroke's points", shape.points)
    if not math.isfinite(shape.radius) or not 0 < shape.radius <= FAR_OUTSIDE:
        raise ShapeError(f"a stroke's radius is {shape.radius}, expected a number of pixels above 0")
    points = rounded(shape.points)
    # A hand that rests repeats itself.
    is_new = np.concatenate([[True], (points[1:] != points[:-1]).any(axis=1)])
    return Stroke(points[is_new], round(shape.radius, DECIMALS) or 10.0**-DECIMALS)


def _checked_polygon(shape: Polygon) -> Polygon:
    if not shape.rings:
        raise ShapeError("a polygon has no ring, expected one at least")
    _require_vertices("a polygon", sum(len(ring) for ring in shape.rings), 3)
    rings = []
    for ring in shape.rings:
        _require_finite("a polygon's corners", ring)
        corners = rounded(ring)
        while len(corners) > 1 and (corners[0] == corners[-1]).all():
            corners = corners[:-1]
        if len(corners) < 3:
            raise ShapeError(f"a polygon's ring has {len(corners)} corners, expected 3 at least")
        rings.append(corners)
    return Polygon(tuple(rings))


def _checked_box(shape: Box) -> Box:
    sides = np.array([shape.x0, shape.y0, shape.x1, shape.y1])
    _require_finite("a box's sides", sides)
    x0, y0, x1, y1 = rounded(sides).tolist()
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _checked_mask(shape: Mask, width: int, height: int) -> Mask:
    if not (1 <= shape.width <= width and 1 <= shape.height <= height):
        raise ShapeError(
            f"a mask of {shape.width} x {shape.height} pixels does not fit into an image of {width} x {height}"
        )
    if abs(shape.x) > FAR_OUTSIDE or abs(shape.y) > FAR_OUTSIDE:
        raise ShapeError(f"a mask lies at ({shape.x}, {shape.y}), far outside of the image")
    if not isinstance(shape.counts, str) or len(shape.counts) > MAX_COUNTS:
        raise ShapeError(f"counts are no text of up to {MAX_COUNTS:,} characters")
    cut = cut_runs(shape.counts, shape.height, shape.width)
    if cut is None:
        raise ShapeError("a mask has no pixel set: leave the region out")
    top, left, rows, columns, counts = cut
    return Mask(shape.x + left, shape.y + top, rows, columns, counts)


def _require_vertices(what: str, count: int, least: int) -> None:
    if not least <= count <= MAX_VERTICES:
        raise ShapeError(f"{what} has {count} points, expected {least} to {MAX_VERTICES:,}")


def _require_finite(what: str, values: Floats) -> None:
    if not np.isfinite(values).all() or np.abs(values).max() > FAR_OUTSIDE:
        raise ShapeError(f"{what} are no numbers of pixels: found one that is not finite, or beyond {FAR_OUTSIDE:,.0f}")


def _require_inside(shape: Shape, width: int, height: int) -> None:
    if not pixels_to_look_at(shape, width, height):
        return
    covered = shape.cover(width, height)
    if covered is None or not covered.pixels.any():
        raise ShapeError(f"the {shape.kind} covers no pixel of the image of {width} x {height}")


def pixels_to_look_at(shape: Shape, width: int, height: int) -> int:
    """How many pixels `checked_shape` paints to see whether a shape covers one; 0 where it can be told without.

    A stroke or a polygon that reaches over much of the image does not miss it; what is set of a mask that lies inside
    of the image does not either, as it is cut to that.
    """
    match shape:
        case Box():
            return 1 if shape.cover(width, height) is None else 0
        case Mask():
            is_inside = shape.x >= 0 and shape.y >= 0
            is_inside &= shape.x + shape.width <= width and shape.y + shape.height <= height
            return 0 if is_inside else shape.width * shape.height
    places = shape.points if isinstance(shape, Stroke) else np.concatenate(shape.rings)
    low, high = np.maximum(places.min(axis=0), 0), np.minimum(places.max(axis=0), (width, height))
    if not (high > low).all():
        return 1
    area = int(np.prod(high - low))
    return 0 if area > LARGE_AREA else area
