"""What a fine-tuning run says of its features: adopt them, or why not, and by how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml_service.finetuning.result import Outcome, obstacle, verdict
from ml_service.metrics import Quality

FROZEN = Quality(
    loss=0.5, accuracy=0.8, mean_iou=0.6, n_images=8, n_samples=40, accuracy_low=0.6, accuracy_high=0.9
)  # fmt: skip
TUNED = replace(FROZEN, loss=0.4)


def outcome_of(gain: tuple[float, float | None], n_images: int = 8, tuned: Quality = TUNED) -> Outcome:
    return Outcome(
        frozen=replace(FROZEN, n_images=n_images),
        tuned=replace(tuned, n_images=n_images),
        gain=gain,
        best_epoch=3,
        factors={},
        scale=1.0,
        is_refitted=True,
    )


def test_obstacle__a_gain_within_its_standard_error_is_told_with_the_bar() -> None:
    why = obstacle(outcome_of((0.1, 0.15)))
    assert why is not None
    assert "loss is better by 0.100" in why
    assert "standard error of 0.150 over 8 images" in why
    assert "no more than chance" in verdict(outcome_of((0.1, 0.15)))


@pytest.mark.parametrize(("gain", "n_images"), [((0.1, 0.05), 8), ((0.1, 0.15), 4), ((0.1, None), 1)])
def test_obstacle__none_where_the_gain_passes_the_bar_or_there_can_be_none(
    gain: tuple[float, float | None], n_images: int
) -> None:
    assert obstacle(outcome_of(gain, n_images)) is None


def test_obstacle__a_gain_of_its_standard_error_is_not_above_it() -> None:
    assert obstacle(outcome_of((0.1, 0.1))) is not None


def test_verdict__says_by_how_much_it_is_better() -> None:
    text = verdict(outcome_of((0.1, 0.05)))
    assert "The fine-tuned features are better" in text
    assert "loss better by 0.100 with a standard error of 0.050" in text


def test_obstacle__what_is_worse_needs_no_bar() -> None:
    why = obstacle(outcome_of((0.1, 0.05), tuned=replace(TUNED, accuracy=0.7)))
    assert why is not None
    assert "standard error" not in why
