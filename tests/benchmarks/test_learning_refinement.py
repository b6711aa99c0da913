from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning_refinement import DEFAULT, PLAIN, STATES, WAYS, Score, boundary_f, quality_sections
from benchmarks.refinement_states import drawn_lines, pooled_cells
from models.refinement import Clicks


def square(left: int) -> np.ndarray:
    mask = np.zeros((100, 100), np.bool_)
    mask[30:70, left : left + 40] = True
    return mask


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (30, 0.3)])
def test_boundary_f__falls_with_the_distance(shift: int, expected: float) -> None:
    found = boundary_f(square(20), square(20 + shift))
    assert found == pytest.approx(expected, abs=0.25 if expected < 1 else 1e-6)


def test_boundary_f__without_boundaries() -> None:
    nothing = np.zeros((100, 100), np.bool_)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, square(20)) == 0.0


def test_quality_sections__gain_is_that_of_the_default() -> None:
    scores = [
        Score("toy", pooling, clicks, was_clicked, way, 0.75 if way == DEFAULT else 0.5, 0.5)
        for pooling in (1, 4)
        for clicks in STATES
        for was_clicked in (True, False)
        for way in WAYS
    ]
    quality, boundary, use = quality_sections(scores, seeds=1)
    assert {row[-1] for row in quality.rows} == {"+0.250"}
    assert {row[-1] for row in boundary.rows} == {"+0.000"}
    assert [row[0] for row in use.rows] == ["clicked", "never clicked"]


def test_ways__give_probabilities_of_the_first_class() -> None:
    logits = np.zeros((2, 8, 8), np.float32)
    logits[0, :, :4] = 8
    logits[1, :, 4:] = 8
    picture = np.full((64, 64, 3), 90, np.uint8)
    picture[:, 32:] = 180
    for way, enlarge in WAYS.items():
        found = enlarge(logits, picture, Clicks())
        assert found.shape == (64, 64), way
        assert (found[:, :31] > 0.5).all(), way
        assert (found[:, 33:] < 0.5).all(), way
    assert PLAIN in WAYS


def test_drawn_lines__are_thin(tmp_path: Path) -> None:
    lines = drawn_lines(tmp_path, count=2, side=200)
    assert lines.image_names() == ["00.png", "01.png"]
    assert 0.001 < lines.truth_mask("00.png").mean() < 0.2


def test_pooled_cells__are_means() -> None:
    grid = np.arange(32, dtype=np.float32).reshape(4, 8, 1)
    np.testing.assert_allclose(pooled_cells(grid, 4)[..., 0], [[13.5, 17.5]])
