"""Regions: which pixels they cover, against definitions spelled out pixel by pixel."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ShapeError
from models.region_checks import checked_shape
from models.region_shapes import SMALLEST_RADIUS, Box, Mask, Polygon, Shape, Stroke, compose, mask_of

WIDTH, HEIGHT = 23, 17
COORDINATES = st.integers(-60, 60).map(lambda n: n / 2 + 0.13)
PLACES = st.tuples(COORDINATES, COORDINATES)
STROKES = st.builds(
    lambda points, radius: Stroke(np.array(points, dtype=float), radius),
    st.lists(PLACES, min_size=1, max_size=6),
    st.integers(1, 16).map(lambda n: n / 2 + 0.07),
)
POLYGONS = st.builds(
    lambda rings: Polygon(tuple(np.array(ring, dtype=float) for ring in rings)),
    st.lists(st.lists(PLACES, min_size=3, max_size=7), min_size=1, max_size=3),
)
BOXES = st.builds(lambda a, b: Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])), PLACES, PLACES)
MASKS = st.builds(
    lambda bits, x, y: mask_of(np.array(bits, dtype=bool).reshape(5, 6), x, y),
    st.lists(st.booleans(), min_size=30, max_size=30).filter(any),
    st.integers(-4, 20),
    st.integers(-4, 15),
)
SHAPES = st.one_of(STROKES, POLYGONS, BOXES, MASKS)


def pixels_of(shape: Shape) -> Any:
    return compose([(shape, 1)], WIDTH, HEIGHT) == 1


def centres() -> list[tuple[int, int, float, float]]:
    return [(row, column, column + 0.5, row + 0.5) for row in range(HEIGHT) for column in range(WIDTH)]


def distance(x: float, y: float, a: Any, b: Any) -> float:
    along = (b[0] - a[0], b[1] - a[1])
    squared = along[0] ** 2 + along[1] ** 2
    t = 0.0 if squared == 0 else max(0.0, min(1.0, ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / squared))
    return math.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])


@given(STROKES)
def test_cover__a_stroke_is_what_its_radius_reaches(stroke: Stroke) -> None:
    found = pixels_of(stroke)
    points = stroke.points.tolist()
    segments = list(pairwise(points)) or [(points[0], points[0])]
    radius = max(stroke.radius, SMALLEST_RADIUS)
    for row, column, x, y in centres():
        nearest = min(distance(x, y, a, b) for a, b in segments)
        if abs(nearest - radius) > 1e-6:
            assert found[row, column] == (nearest < radius)


@given(POLYGONS)
def test_cover__a_polygon_is_what_is_inside_an_odd_number_of_rings(polygon: Polygon) -> None:
    found = pixels_of(polygon)
    for row, column, x, y in centres():
        crossings, is_clear = 0, True
        for ring in polygon.rings:
            corners = ring.tolist()
            for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
                if (y1 <= y) != (y2 <= y):
                    crossing = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
                    crossings += crossing <= x
                    is_clear &= abs(crossing - x) > 1e-9
        assert not is_clear or found[row, column] == (crossings % 2 == 1)


@given(BOXES)
def test_cover__a_box_is_the_pixels_whose_centres_it_holds(box: Box) -> None:
    found = pixels_of(box)
    for row, column, x, y in centres():
        assert found[row, column] == (box.x0 <= x < box.x1 and box.y0 <= y < box.y1)


@given(SHAPES)
def test_cover__a_shape_and_its_mask_are_the_same_pixels(shape: Shape) -> None:
    found = pixels_of(shape)
    mask = mask_of(found)
    if mask is None:
        assert not found.any()
    else:
        assert (pixels_of(mask) == found).all()
        kept = checked_shape(mask.kind, mask.to_json(), WIDTH, HEIGHT)
        assert kept == mask


@given(st.lists(st.tuples(SHAPES, st.integers(0, 3)), max_size=6))
def test_compose__the_last_wins_and_zero_removes(painted: list[tuple[Shape, int]]) -> None:
    expected = np.zeros((HEIGHT, WIDTH), dtype=int)
    for shape, value in painted:
        expected[pixels_of(shape)] = value
    assert (compose(painted, WIDTH, HEIGHT) == expected).all()


@given(st.one_of(STROKES, POLYGONS, BOXES), st.integers(-5, 5), st.integers(-5, 5))
def test_moved__by_whole_pixels_moves_what_is_covered(shape: Shape, dx: int, dy: int) -> None:
    wide = compose([(shape, 1)], WIDTH, HEIGHT)
    moved = compose([(shape.moved(dx, dy), 1)], WIDTH, HEIGHT)
    for row, column, _x, _y in centres():
        if 0 <= row + dy < HEIGHT and 0 <= column + dx < WIDTH:
            assert moved[row + dy, column + dx] == wide[row, column]


@given(SHAPES, st.sampled_from([0.25, 0.5, 2.0, 3.0]))
@settings(deadline=None)
def test_cover__on_another_raster_is_what_lies_under_its_pixels(shape: Shape, factor: float) -> None:
    width, height = max(1, int(WIDTH * factor)), max(1, int(HEIGHT * factor))
    covered = shape.cover(width, height, (factor, factor))
    assert covered is None or (covered.pixels.shape[0] <= height and covered.pixels.shape[1] <= width)
    if isinstance(shape, Mask) and factor >= 1 and covered is not None:
        assert covered.pixels.sum() <= pixels_of(shape).sum() * factor**2


@given(STROKES | POLYGONS | BOXES)
def test_checked_shape__what_is_kept_reads_back_as_itself(shape: Shape) -> None:
    try:
        kept = checked_shape(shape.kind, shape.to_json(), WIDTH, HEIGHT)
    except ShapeError:
        return
    again = checked_shape(kept.kind, kept.to_json(), WIDTH, HEIGHT)
    assert again.to_json() == kept.to_json()


@pytest.mark.parametrize(
    ("kind", "geometry", "part"),
    [
        ("stroke", {"points": [[float("nan"), 1.0]], "radius": 2.0}, "not finite"),
        ("stroke", {"points": [[1.0, 1.0]], "radius": float("inf")}, "radius is inf"),
        ("stroke", {"points": [], "radius": 2.0}, "has 0 points"),
        ("stroke", {"points": [[1.0, 1.0]] * 10_001, "radius": 2.0}, "has 10001 points"),
        ("stroke", {"points": [[-50.0, -50.0]], "radius": 2.0}, "covers no pixel"),
        ("stroke", {"points": [[1.0, 2.0, 3.0]], "radius": 2.0}, "cannot be read"),
        ("stroke", {"radius": 2.0}, "cannot be read"),
        ("polygon", {"rings": []}, "has no ring"),
        ("polygon", {"rings": [[[1, 1], [2, 2], [1, 1]]]}, "2 corners"),
        ("box", {"x0": 1, "y0": 1, "x1": 1.2, "y1": 9}, "covers no pixel"),
        ("box", {"x0": 1, "y0": 1, "x1": 1e9, "y1": 9}, "beyond"),
        ("mask", {"x": 0, "y": 0, "size": [90, 90], "counts": "0"}, "does not fit"),
        ("mask", {"x": 0, "y": 0, "size": [0, 3], "counts": ""}, "does not fit"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "9"}, "do not tell of the 2 x 2"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "4"}, "no pixel set"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "PPPPPPPP0"}, "more than 35 bits"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "0P"}, "in the middle"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "\n"}, "outside 0 to o"),
        ("mask", {"x": 0, "y": 0, "size": [2, 2], "counts": "é"}, "ASCII"),
        ("mask", {"x": 40, "y": 0, "size": [1, 1], "counts": "01"}, "covers no pixel"),
        ("heap", {}, "expected stroke"),
    ],
)  # fmt: skip
def test_checked_shape__refuses(kind: str, geometry: dict[str, Any], part: str) -> None:
    with pytest.raises(ShapeError, match=part):
        checked_shape(kind, geometry, WIDTH, HEIGHT)


def test_checked_shape__a_polygon_that_crosses_itself_is_painted_where_it_is_odd() -> None:
    bow = checked_shape("polygon", {"rings": [[[0, 0], [10, 10], [10, 0], [0, 10]]]}, WIDTH, HEIGHT)
    found = pixels_of(bow)
    assert found[5, 1]
    assert found[5, 8]
    assert not found[1, 5]
