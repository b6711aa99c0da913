"""What a fine-tuning run says of its features: adopt them, or why not, and by how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml_service.finetuning.result import Outcome, obstacle, verdict
from ml_service.metrics import Quality

FROZEN = Quality(
    loss=0.5, accuracy=0.8, mean_iou=0.6, n_images=12, n_samples=40, accuracy_low=0.6, accuracy_high=0.9
)  # fmt: skip
TUNED = replace(FROZEN, loss=0.4)


def outcome_of(gain: tuple[float, float | None], n_images: int = 12, tuned: Quality = TUNED) -> Outcome:
    return Outcome(
        frozen=replace(FROZEN, n_images=n_images),
        tuned=replace(tuned, n_images=n_images),
        gain=gain,
        best_epoch=3,
        factors={},
        scale=1.0,
        is_refitted=True,
        least_images=10,
    )


@pytest.mark.parametrize("gain", [(0.1, 0.15), (0.1, 0.06), (0.1, 0.05), (0.1, None)])
def test_obstacle__a_gain_that_may_be_chance_is_told_with_the_bar(gain: tuple[float, float | None]) -> None:
    why = obstacle(outcome_of(gain))
    assert why is not None
    assert "a gain of 0.100 is not above twice its standard error" in why
    assert "may be chance" in verdict(outcome_of(gain))


def test_obstacle__too_few_images_to_tell() -> None:
    assert "only 9 of the 10 validation images" in str(obstacle(outcome_of((0.1, 0.001), 9)))


def test_obstacle__none_where_the_gain_stands_out() -> None:
    assert obstacle(outcome_of((0.1, 0.049), 10)) is None


def test_verdict__says_by_how_much_it_is_better() -> None:
    text = verdict(outcome_of((0.1, 0.04)))
    assert "The fine-tuned features are better" in text
    assert "loss better by 0.100 with a standard error of 0.040" in text


def test_obstacle__what_is_worse_needs_no_bar() -> None:
    why = obstacle(outcome_of((0.1, 0.04), tuned=replace(TUNED, accuracy=0.7)))
    assert why is not None
    assert "standard error" not in why
