"""Pixels and cells: properties for all sizes, and the vectors that the frontend's twin is held to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.base import ExtractorInfo
from models.geometry import Grid, fit_within, make_grid, resample, sample_bilinear, scale_between

VECTORS = Path(__file__).with_name("geometry_vectors.json")
"""Regenerate with `python tests/models/test_geometry.py` from the repository root."""

sides = st.integers(1, 20_000)
extractors = st.sampled_from([(16, 16), (4, 32), (8, 8), (8, 32), (14, 14), (32, 32), (4, 16), (16, 32)])
resizes = st.one_of(st.sampled_from([32, 288, 512, 768, 1000, 1536, 8192]), st.integers(32, 8192))
fractions = st.floats(0, 1)


def extractor(resize: int, patch_size: int, size_multiple: int) -> ExtractorInfo:
    return ExtractorInfo("toy", "0", patch_size, size_multiple, dim=1, pooled_dim=1, resize=resize)


@given(sides, sides, extractors, resizes)
def test_make_grid__cells_tile_an_input_of_the_right_size(
    width: int, height: int, cells: tuple[int, int], resize: int
) -> None:
    patch_size, multiple = cells
    grid = make_grid(width, height, extractor(resize, patch_size, multiple))
    assert (grid.width * patch_size, grid.height * patch_size) == (grid.input_width, grid.input_height)
    for side, image_side in ((grid.input_width, width), (grid.input_height, height)):
        assert side % multiple == 0
        exact = image_side * resize / max(width, height)
        assert abs(side - exact) <= multiple / 2 or side == multiple


@given(st.integers(100, 6000), st.integers(1, 6000))
def test_make_grid__longest_side_is_exact(longest: int, other: int) -> None:
    """A truncated float gives 1535 for hundreds of widths."""
    assume(other <= longest)
    assert make_grid(longest, other, extractor(1536, 16, 16)).input_width == 1536
    assert make_grid(other, longest, extractor(1536, 16, 16)).input_height == 1536


@given(sides, sides, extractors, resizes, fractions, fractions)
def test_to_grid__inverse_and_inside(
    width: int, height: int, cells: tuple[int, int], resize: int, a: float, b: float
) -> None:
    grid = make_grid(width, height, extractor(resize, *cells))
    xy = np.array([a * width, b * height])
    uv = grid.to_grid(xy)
    np.testing.assert_allclose(grid.to_image(uv), xy, rtol=1e-12, atol=1e-9)
    assert (uv >= 0).all()
    assert (uv <= (grid.width * (1 + 1e-12), grid.height * (1 + 1e-12))).all()
    column, row = grid.cell(xy)
    assert 0 <= column < grid.width
    assert 0 <= row < grid.height


@given(sides, sides, extractors, resizes, st.integers(0, 2**31))
def test_cell__is_the_one_that_covers_the_point(
    width: int, height: int, cells: tuple[int, int], resize: int, seed: int
) -> None:
    grid = make_grid(width, height, extractor(resize, *cells))
    column, row = seed % grid.width, seed // 7 % grid.height
    centre = grid.to_image([column + 0.5, row + 0.5])
    assert grid.cell(centre).tolist() == [column, row]


@given(sides, sides, extractors, resizes, fractions, fractions)
def test_cell__covers_the_point(
    width: int, height: int, cells: tuple[int, int], resize: int, a: float, b: float
) -> None:
    grid = make_grid(width, height, extractor(resize, *cells))
    xy = np.array([a * width, b * height])
    cell = grid.cell(xy)
    corners = grid.to_image([cell, cell + 1])
    slack = 1e-9 * max(width, height)
    assert (corners[0] <= xy + slack).all()
    assert (xy <= corners[1] + slack).all()


@given(sides, sides, extractors, resizes)
def test_grid__corners_of_the_image_are_corners_of_the_grid(
    width: int, height: int, cells: tuple[int, int], resize: int
) -> None:
    grid = make_grid(width, height, extractor(resize, *cells))
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
    np.testing.assert_allclose(
        grid.to_image(corners * (grid.width, grid.height)), corners * (width, height), rtol=1e-12
    )


@given(sides, sides, extractors, resizes)
def test_make_grid__how_far_a_cell_is_from_square(width: int, height: int, cells: tuple[int, int], resize: int) -> None:
    """Rounding to a multiple m moves a side of s pixels by m / 2 at most; below m / 2 it becomes m, whatever it was."""
    patch_size, multiple = cells
    grid = make_grid(width, height, extractor(resize, patch_size, multiple))
    cell_width, cell_height = grid.to_image([1, 1])
    stretch = max(cell_width / cell_height, cell_height / cell_width)
    bounds = [_most_stretch(side * resize / max(width, height), multiple) for side in (width, height)]
    assert stretch <= bounds[0] * bounds[1] * (1 + 1e-9)


def _most_stretch(side: float, multiple: int) -> float:
    """By how much a side of so many pixels may grow or shrink when it becomes a multiple, as a factor."""
    if side < multiple / 2:
        return multiple / side
    return max(1 + multiple / (2 * side), side / max(multiple, side - multiple / 2))


@pytest.mark.parametrize(
    ("resize", "multiple", "most"),
    [(512, 32, 0.0625), (1024, 16, 0.0157), (1536, 16, 0.0105), (768, 16, 0.0209), (1022, 14, 0.0137)],
)
def test_make_grid__cells_of_usual_pictures_are_nearly_square(resize: int, multiple: int, most: float) -> None:
    """docs/decisions/0003-no-padding.md states these: the largest of all shapes up to 2 : 1."""
    found = 0.0
    for short in range(500, 1001):
        grid = make_grid(1000, short, extractor(resize, multiple, multiple))
        cell_width, cell_height = grid.to_image([1, 1])
        found = max(found, cell_width / cell_height - 1, cell_height / cell_width - 1)
    assert most * 0.9 < found <= most


@pytest.mark.parametrize(("width", "height", "cells"), [(20_000, 1, (96, 1)), (16, 9000, (1, 96)), (1, 1, (96, 96))])
def test_make_grid__short_side_of_a_single_cell(width: int, height: int, cells: tuple[int, int]) -> None:
    grid = make_grid(width, height, extractor(1536, 16, 16))
    assert (grid.width, grid.height) == cells
    assert grid.cell([[0, 0], [width, height]]).tolist() == [[0, 0], [cells[0] - 1, cells[1] - 1]]


rasters = st.tuples(st.integers(1, 20_000), st.integers(1, 20_000))


@given(rasters, rasters, fractions, fractions)
def test_scale_between__there_and_back(source: tuple[int, int], target: tuple[int, int], a: float, b: float) -> None:
    xy = np.array([a, b]) * source
    there = xy * scale_between(source, target)
    assert (there <= np.array(target) * (1 + 1e-12)).all()
    np.testing.assert_allclose(there * scale_between(target, source), xy, rtol=1e-12, atol=1e-9)


@given(sides, sides, st.integers(1, 4096), st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_fit_within__shape_is_kept_to_half_a_pixel(
    width: int, height: int, max_side: int, least: tuple[int, int]
) -> None:
    fitted = fit_within(width, height, max_side)
    longest = max(width, height)
    assert max(fitted) == min(longest, max_side)
    for side, found in zip((width, height), fitted, strict=True):
        assert 1 <= found <= side
        assert abs(found - side * min(1, max_side / longest)) <= 0.5 or found == 1
    wide = fit_within(width, height, max_side, least=least)
    for side, found, minimum, plain in zip((width, height), wide, least, fitted, strict=True):
        assert found == (side if longest <= max_side else min(side, max(plain, minimum)))


@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 700), st.integers(1, 700), fractions, fractions)
def test_resample__a_boundary_stays_where_it_is(
    columns: int, rows: int, width: int, height: int, a: float, b: float
) -> None:
    """A plane that is zero along a line, between the outermost cell centres, is zero along it in the image."""
    grid = Grid(width, height, columns, rows, columns, rows)
    u0, v0 = 0.5 + a * (columns - 1), 0.5 + b * (rows - 1)
    u, v = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    x0, y0 = grid.to_image([u0, v0])
    scale_x, scale_y = grid.to_grid([1, 1])
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    inside_x = (x * scale_x >= 0.5) & (x * scale_x <= columns - 0.5)
    inside_y = (y * scale_y >= 0.5) & (y * scale_y <= rows - 0.5)
    # In pixels of the image: what is left is the rounding of float32.
    across = resample((u - u0).astype(np.float32), width, height)[0] / scale_x
    down = resample((v - v0).astype(np.float32), width, height)[:, 0] / scale_y
    np.testing.assert_allclose(across[inside_x], (x - x0)[inside_x], atol=1e-3)
    np.testing.assert_allclose(down[inside_y], (y - y0)[inside_y], atol=1e-3)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 60), st.integers(1, 60), st.integers(0, 1000))
def test_resample__agrees_with_sample_bilinear(columns: int, rows: int, width: int, height: int, seed: int) -> None:
    plane = np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)
    grid = Grid(width, height, columns, rows, columns, rows)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    uv = grid.to_grid(np.stack([x.ravel(), y.ravel()], axis=1))
    sampled = sample_bilinear(plane[:, :, None], uv).reshape(height, width)
    np.testing.assert_allclose(resample(plane, width, height), sampled, atol=1e-4)


def test_contains__edges_belong_to_the_image() -> None:
    grid = make_grid(30, 20, extractor(64, 8, 8))
    assert grid.contains(0, 0)
    assert grid.contains(30, 20)
    assert not grid.contains(30.001, 5)
    assert not grid.contains(5, -0.001)
    assert not grid.contains(float("nan"), 5)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_make_grid__refuses_empty_images(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least 1 x 1"):
        make_grid(width, height, extractor(64, 8, 8))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_sample_bilinear__centres_give_the_cells(width: int, height: int, seed: int) -> None:
    feature_map = np.random.default_rng(seed).standard_normal((height, width, 3), dtype=np.float32)
    rows, columns = np.indices((height, width))
    uv = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    np.testing.assert_allclose(sample_bilinear(feature_map, uv), feature_map.reshape(-1, 3), atol=1e-6)


@given(fractions, fractions, st.integers(2, 9), st.integers(2, 9))
def test_sample_bilinear__linear_between_centres_flat_beyond(a: float, b: float, width: int, height: int) -> None:
    columns = np.tile(np.arange(width, dtype=np.float32), (height, 1))[:, :, None]
    u = a * width
    value = sample_bilinear(columns, np.array([[u, b * height]]))[0, 0]
    assert value == pytest.approx(np.clip(u - 0.5, 0, width - 1), abs=1e-4)


def test_sample_bilinear__reads_float16_maps() -> None:
    feature_map = np.ones((2, 2, 4), np.float16)
    assert sample_bilinear(feature_map, np.array([[1.0, 1.0]])).dtype == np.float32


def vectors() -> dict[str, list[dict[str, Any]]]:
    """What both implementations must give."""
    return {"grids": _grid_vectors(), "resamplings": _resampling_vectors()}


def _resampling_vectors() -> list[dict[str, Any]]:
    result = []
    for number, (columns, rows, width, height) in enumerate([(3, 2, 7, 6), (1, 4, 3, 9), (5, 5, 5, 5), (2, 1, 9, 1)]):
        plane = np.random.default_rng(number).integers(-99, 100, (rows, columns)).astype(np.float32)
        resampled = resample(plane, width, height)
        result.append({"plane": plane.tolist(), "width": width, "height": height, "resampled": resampled.tolist()})
    return result


def _grid_vectors() -> list[dict[str, Any]]:
    cases = [
        (512, 512, 512, 32, 4), (1296, 966, 512, 32, 4), (696, 520, 1536, 16, 16), (520, 696, 1536, 16, 16),
        (4000, 3000, 1536, 16, 16), (10_000, 37, 1536, 16, 16), (16, 16, 512, 32, 4), (1, 1, 64, 8, 8),
        (1537, 1535, 1536, 16, 16), (5899, 1234, 1536, 16, 16), (333, 777, 288, 32, 8),
        (641, 479, 1536, 16, 16), (16, 9000, 512, 32, 4), (20_000, 1, 8192, 14, 14), (4000, 3000, 1022, 14, 14),
        (1000, 517, 1000, 16, 16), (3, 4, 32, 32, 32),
    ]  # fmt: skip
    result = []
    for width, height, resize, size_multiple, patch_size in cases:
        grid = make_grid(width, height, extractor(resize, patch_size, size_multiple))
        places = [(0.0, 0.0), (0.5, 0.5), (width / 3, height / 7), (width - 0.5, height - 0.5), (width, height)]
        result.append(
            {
                "width": width,
                "height": height,
                "resize": resize,
                "size_multiple": size_multiple,
                "patch_size": patch_size,
                "input_width": grid.input_width,
                "input_height": grid.input_height,
                "grid_width": grid.width,
                "grid_height": grid.height,
                "points": [_point(grid, x, y) for x, y in places],
            }
        )
    return result


def _point(grid: Grid, x: float, y: float) -> dict[str, Any]:
    return {"xy": [x, y], "uv": grid.to_grid([x, y]).tolist(), "cell": grid.cell([x, y]).tolist()}


def test_vectors__file_is_what_the_code_gives() -> None:
    stored = json.loads(VECTORS.read_text(encoding="utf-8"))
    expected = vectors()
    assert [len(stored[key]) for key in expected] == [len(cases) for cases in expected.values()]
    for found, grid in zip(stored["grids"], expected["grids"], strict=True):
        points, expected_points = found.pop("points"), grid.pop("points")
        assert found == grid
        for point, expected_point in zip(points, expected_points, strict=True):
            assert point["cell"] == expected_point["cell"]
            assert point["uv"] == pytest.approx(expected_point["uv"])
    for found, resampling in zip(stored["resamplings"], expected["resamplings"], strict=True):
        np.testing.assert_allclose(found.pop("resampled"), resampling.pop("resampled"), atol=1e-4)
        assert found == resampling


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
