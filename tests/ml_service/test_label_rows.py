"""Rows of labels: the same content whatever the way to it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.enums import Origin, Split
from db.queries.training_data import LabelledImage, Target
from ml_service import label_rows
from ml_service.data_loaders.base import ImageSamples
from ml_service.label_rows import NO_CLASS, LabelRows

DIM = 3
Float = npt.NDArray[np.float32]
TARGETS = st.lists(
    st.builds(
        Target,
        st.integers(1, 3),
        st.sampled_from([Origin.HUMAN, Origin.EXTRACTED]),
        st.sampled_from([0.5, 1.5, 2.5]),
        st.just(0.5),
    ),
    max_size=6,
)
CHANGES = st.lists(st.tuples(st.integers(1, 4), TARGETS | st.none()), max_size=25)


def samples_of(image_id: int, targets: list[Target], split: Split = Split.TRAIN) -> ImageSamples:
    """The input of a target says its image and place."""
    image = LabelledImage(image_id, f"hash {image_id}", 4, 4, 1, 1, split, True, tuple(targets))
    inputs = np.array([[image_id, target.x, target.class_id] for target in targets], np.float32)
    return ImageSamples(image, inputs.reshape(-1, DIM))


def content_of(rows: LabelRows) -> Counter[tuple[object, ...]]:
    used = rows.class_ids != NO_CLASS
    return Counter(
        zip(
            map(tuple, rows.inputs[used].tolist()),
            rows.class_ids[used].tolist(),
            rows.is_extracted[used].tolist(),
            rows.is_held_out[used].tolist(),
            strict=True,
        )
    )


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_put__any_way_leads_to_the_same_rows(changes: list[tuple[int, list[Target] | None]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # So few that they are moved again and again.
        patch.setattr(label_rows, "FIRST_CAPACITY", 2)
        rows, last = LabelRows(lambda raw: 2 * raw, DIM), {}
        for image_id, targets in changes:
            last[image_id] = targets
            if targets is None:
                rows.remove(image_id)
            else:
                rows.put(samples_of(image_id, targets))
    assert rows.n_targets == sum(len(targets or []) for targets in last.values())
    assert len(rows.inputs) <= max(2, 2 * rows.n_targets)
    fresh = LabelRows(lambda raw: 2 * raw, DIM)
    for image_id, targets in sorted(last.items()):
        if targets is not None:
            fresh.put(samples_of(image_id, targets))
    assert content_of(rows) == content_of(fresh)
    assert rows.content == fresh.content


def test_put__one_more_point_prepares_that_one_only() -> None:
    prepared: list[int] = []

    def prepare(raw: Float) -> Float:
        prepared.append(len(raw))
        return raw

    rows = LabelRows(prepare, DIM)
    targets = [Target(1, Origin.HUMAN, x + 0.5, 0.5) for x in range(5)]
    rows.put(samples_of(1, targets[:4]))
    rows.put(samples_of(1, targets))
    assert prepared == [4, 1]


def test_put__rows_are_used_again() -> None:
    rows = LabelRows(lambda raw: raw, DIM)
    for step in range(50):
        rows.put(samples_of(1, [Target(1, Origin.HUMAN, float(step), 0.5)]))
    assert len(rows.class_ids) <= 2


def test_content__tells_apart_what_a_head_would_learn_otherwise() -> None:
    seen = set()
    for target in (
        Target(1, Origin.HUMAN, 0.5, 0.5),
        Target(2, Origin.HUMAN, 0.5, 0.5),
        Target(1, Origin.EXTRACTED, 0.5, 0.5),
        Target(1, Origin.HUMAN, 1.5, 0.5),
    ):
        for image_id in (1, 2):
            rows = LabelRows(lambda raw: raw, DIM)
            rows.put(samples_of(image_id, [target]))
            seen.add(rows.content)
    assert len(seen) == 8


def test_put__image_that_changes_its_part() -> None:
    rows = LabelRows(lambda raw: raw, DIM)
    targets = [Target(1, Origin.HUMAN, 0.5, 0.5)]
    rows.put(samples_of(1, targets))
    rows.put(samples_of(1, targets, Split.VALIDATION))
    assert rows.is_held_out[rows.class_ids != NO_CLASS].tolist() == [True]


def test_put__grows() -> None:
    rows = LabelRows(lambda raw: raw, DIM)
    for image_id in range(1, 1001):
        rows.put(samples_of(image_id, [Target(1, Origin.HUMAN, 0.5, 0.5)]))
    assert sorted(rows.inputs[:, 0].tolist()) == list(range(1, 1001))


def test_remove__drops_free_rows_where_they_are_the_most() -> None:
    rows = LabelRows(lambda raw: raw, DIM)
    for image_id in range(1, 1001):
        rows.put(samples_of(image_id, [Target(1, Origin.HUMAN, 0.5, 0.5)]))
    read, before = rows.inputs, rows.inputs.copy()
    for image_id in range(1, 1001, 2):
        rows.remove(image_id)
    assert len(rows.inputs) == 1000
    rows.remove(2)
    assert sorted(rows.inputs[:, 0].tolist()) == list(range(4, 1001, 2))
    rows.put(samples_of(1, [Target(1, Origin.HUMAN, 0.5, 0.5)]))
    # Who still reads what there was is not disturbed.
    np.testing.assert_array_equal(read, before)
