"""Regions as training cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.enums import Origin
from db.queries.training_data import Target
from ml_service.data_loaders.region_cells import (
    FINENESS,
    LONE_CELLS,
    MOST_CELLS,
    MOST_CLICKS,
    ZONE_WEIGHT,
    ZONES,
    cell_targets,
)
from ml_service.heads.exclusive import fit_exclusive_head
from ml_service.heads.live import SEGMENTATION
from ml_service.heads.scaler import FeatureScaler
from models.base import ChannelGroup
from models.geometry import Grid
from models.region_shapes import Box, Covered, Shape, Stroke

GRID = Grid(image_width=128, image_height=96, input_width=128, input_height=96, width=16, height=12)
"""Cells of 8 pixels."""


def covered(shape: Shape) -> Covered | None:
    return shape.cover(GRID.width * FINENESS, GRID.height * FINENESS)


def box(x0: float, y0: float, x1: float, y1: float) -> Covered | None:
    return covered(Box(x0, y0, x1, y1))


def targets(*painted: tuple[Covered | None, int | None, Origin]) -> list[Target]:
    return cell_targets(GRID, painted)


def test_cell_targets__a_cell_that_is_covered_whole_is_like_a_click_in_its_middle() -> None:
    assert targets((box(8, 16, 16, 24), 1, Origin.HUMAN)) == [Target(1, Origin.HUMAN, 12.0, 20.0, 1.0, is_cell=True)]


def test_cell_targets__classes_that_share_a_cell_share_its_weight() -> None:
    found = targets((box(0, 0, 32, 8), 1, Origin.HUMAN), (box(28, 0, 64, 8), 2, Origin.HUMAN))
    shared = {target.class_id: target for target in found if 24 <= target.x < 32}
    assert shared[1].weight == max(target.weight for target in found if target.class_id == 1)
    assert shared[2].weight == max(target.weight for target in found if target.class_id == 2)
    assert (shared[1].x, shared[2].x) == (26.0, 30.0)


def test_cell_targets__the_eraser_and_what_is_painted_over_teach_nothing() -> None:
    assert targets((box(0, 0, 64, 64), 1, Origin.HUMAN), (box(0, 0, 64, 64), None, Origin.HUMAN)) == []
    over = targets((box(0, 0, 64, 64), 1, Origin.HUMAN), (box(0, 0, 64, 64), 2, Origin.HUMAN))
    assert {target.class_id for target in over} == {2}
    assert targets((None, 1, Origin.HUMAN), (box(0, 0, 8, 8), None, Origin.HUMAN)) == []


def test_cell_targets__a_thin_stroke_teaches_along_its_line() -> None:
    thin = covered(Stroke(np.array([[4.0, 20.5], [124.0, 20.5]]), 0.8))
    found = targets((thin, 1, Origin.HUMAN))
    assert len(found) == 16
    assert all(abs(target.y - 20.5) < 1 for target in found)
    assert sum(target.weight for target in found) == pytest.approx(8 * ZONE_WEIGHT, abs=0.01)


def test_cell_targets__a_dab_weighs_as_a_click_and_two_as_two() -> None:
    dab = covered(Stroke(np.array([[20.0, 20.0]]), 12.0))
    other = covered(Stroke(np.array([[100.0, 70.0]]), 12.0))
    one = targets((dab, 1, Origin.HUMAN))
    two = targets((dab, 1, Origin.HUMAN), (other, 1, Origin.HUMAN))
    assert len(one) > 5
    assert 1.0 <= sum(target.weight for target in one) <= 2.3
    assert sum(t.weight for t in two) == pytest.approx(2 * sum(t.weight for t in one), rel=0.3)


@pytest.mark.parametrize("origin", [Origin.HUMAN, Origin.ACCEPTED, Origin.IMPORTED])
def test_cell_targets__are_few_and_evenly_spread(origin: Origin) -> None:
    found = targets((box(0, 0, 128, 96), 1, origin))
    assert len(found) == (LONE_CELLS if origin is Origin.ACCEPTED else MOST_CELLS[origin])
    worth = min(ZONES**2 * ZONE_WEIGHT, MOST_CLICKS[origin])
    assert sum(target.weight for target in found) == pytest.approx(worth, abs=0.01)
    quarters = np.histogram2d([t.x for t in found], [t.y for t in found], bins=2, range=[[0, 128], [0, 96]])[0]
    assert quarters.min() >= len(found) / 4 - 3


@pytest.mark.parametrize("classes", [1, 2])
def test_cell_targets__what_was_accepted_weighs_no_more_than_a_click_a_class(classes: int) -> None:
    halves = [(box(64 * n, 0, 64 * n + 64, 96), n + 1, Origin.ACCEPTED) for n in range(classes)]
    small = (box(0, 0, 8, 8), 1, Origin.ACCEPTED)
    for class_id in range(1, classes + 1):
        of_class = [target.weight for target in targets(*halves, small) if target.class_id == class_id]
        assert len(of_class) == (LONE_CELLS if classes == 1 else MOST_CELLS[Origin.ACCEPTED])
        assert sum(of_class) <= 1.001


def test_cell_targets__an_accepted_class_has_no_more_cells_than_the_others() -> None:
    large, small = (box(0, 0, 64, 96), 1, Origin.ACCEPTED), (box(80, 0, 104, 16), 2, Origin.ACCEPTED)
    found = targets(large, small)
    assert [sum(target.class_id == class_id for target in found) for class_id in (1, 2)] == [6, 6]
    # What people draw has nothing to do with it.
    assert len(targets(large, (small[0], 2, Origin.HUMAN))) == LONE_CELLS + 6


def test_cell_targets__an_accepted_region_leaves_the_other_class_its_place() -> None:
    """One click of each class, the larger predicted region accepted: the other one stays about as large."""
    rng = np.random.default_rng(0)
    is_right = np.arange(GRID.width) >= 10
    features = rng.normal(0, 1.0, (GRID.height, GRID.width, 16)).astype(np.float32)
    features[:, is_right, :4] += 1.0
    scaler = FeatureScaler.fit(features.reshape(-1, 16), (ChannelGroup("all", 16),))

    def right_share(found: list[Target]) -> float:
        cells = GRID.cell([(target.x, target.y) for target in found]).reshape(-1, 2)
        head = fit_exclusive_head(
            features[cells[:, 1], cells[:, 0]],
            np.array([target.class_id - 1 for target in found]),
            np.array([target.weight * (0.3 if target.is_guess else 1.0) for target in found], np.float32),
            2,
            scaler=scaler,
            config=SEGMENTATION,
        )
        logits = head.logits(features)
        return float((logits[..., 1] > logits[..., 0]).mean())

    clicks = [Target(1, Origin.HUMAN, 36.0, 44.0), Target(2, Origin.HUMAN, 108.0, 44.0)]
    before = right_share(clicks)
    after = right_share([*clicks, *targets((box(0, 0, 80, 96), 1, Origin.ACCEPTED))])
    assert after > 0.6 * before


PAINTED: Any = st.lists(
    st.tuples(
        st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), *[st.integers(0, 90)] * 2, *[st.integers(1, 60)] * 2),
        st.sampled_from([1, 2, None]),
        st.sampled_from([Origin.HUMAN, Origin.ACCEPTED]),
    ),
    max_size=6,
)


@given(PAINTED)
def test_cell_targets__follow_from_what_is_visible(painted: Any) -> None:
    found = targets(*painted)
    assert targets(*painted) == found
    hidden = [(box(3, 3, 60, 60), 1, Origin.HUMAN), (box(0, 0, 128, 96), None, Origin.HUMAN)]
    assert targets(*hidden, *painted) == found
    for target in found:
        assert GRID.contains(target.x, target.y)
        assert 0 < target.weight <= 1
