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
from models.geometry import Grid, make_grid, sample_bilinear

VECTORS = Path(__file__).with_name("geometry_vectors.json")
"""Regenerate with `python tests/models/test_geometry.py` from the repository root."""

sides = st.integers(1, 20_000)
extractors = st.sampled_from([(16, 16), (4, 32), (8, 8), (8, 32)])
resizes = st.sampled_from([32, 288, 512, 768, 1000, 1536])
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


def vectors() -> list[dict[str, Any]]:
    """What both implementations must give."""
    cases = [
        (512, 512, 512, 32, 4), (1296, 966, 512, 32, 4), (696, 520, 1536, 16, 16), (520, 696, 1536, 16, 16),
        (4000, 3000, 1536, 16, 16), (10_000, 37, 1536, 16, 16), (16, 16, 512, 32, 4), (1, 1, 64, 8, 8),
        (1537, 1535, 1536, 16, 16), (5899, 1234, 1536, 16, 16), (333, 777, 288, 32, 8),
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
    assert len(stored) == len(vectors())
    for found, expected in zip(stored, vectors(), strict=True):
        points, expected_points = found.pop("points"), expected.pop("points")
        assert found == expected
        for point, expected_point in zip(points, expected_points, strict=True):
            assert point["cell"] == expected_point["cell"]
            assert point["uv"] == pytest.approx(expected_point["uv"])


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
