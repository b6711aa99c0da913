"""Whether more labels would help, on learners of which it is known."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ml_service.learning_curve import Verdict, judge_gain

TRIALS = 200


def _verdicts(n_images: int, half: float, whole: float, *, points: int = 1, seed: int = 0) -> Counter[Verdict]:
    """Of heads that are right with these chances, on the same samples: most of what one knows the other knows too."""
    generator = np.random.default_rng(seed)
    ids = np.arange(n_images).repeat(points)
    found: Counter[Verdict] = Counter()
    for _ in range(TRIALS):
        luck = generator.random(n_images).repeat(points) * 0.7 + generator.random(len(ids)) * 0.3
        order = np.sort(np.random.default_rng(1).random(20_000) * 0.7 + np.random.default_rng(2).random(20_000) * 0.3)
        with_half = luck < order[int(half * (len(order) - 1))]
        with_all = luck < order[int(whole * (len(order) - 1))]
        found[judge_gain(with_half, with_all, ids).verdict] += 1
    return found


def test_judge_gain__a_learner_that_still_gains_is_rising() -> None:
    found = _verdicts(100, 0.7, 0.85)
    assert found[Verdict.RISING] > 0.95 * TRIALS
    assert found[Verdict.FLAT] == 0


def test_judge_gain__a_learner_that_gains_nothing_is_flat() -> None:
    found = _verdicts(150, 0.9, 0.9)
    assert found[Verdict.FLAT] > 0.95 * TRIALS
    assert found[Verdict.RISING] == 0


def test_judge_gain__chance_alone_is_hardly_ever_taken_for_a_gain() -> None:
    """Two heads of equal quality that err on different samples."""
    generator = np.random.default_rng(3)
    for n_images, points in ((20, 1), (60, 1), (30, 5)):
        ids = np.arange(n_images).repeat(points)
        rising = 0
        for _ in range(TRIALS):
            first, second = (generator.random(len(ids)) < 0.8 for _ in range(2))
            rising += judge_gain(first, second, ids).verdict is Verdict.RISING
        assert rising <= 0.06 * TRIALS


def test_judge_gain__few_images_are_never_told_flat_or_rising() -> None:
    assert _verdicts(7, 0.5, 1.0)[Verdict.UNCLEAR] == TRIALS
    assert _verdicts(12, 0.9, 0.9)[Verdict.FLAT] == 0


def test_judge_gain__points_of_one_image_are_one_witness() -> None:
    """A hundred points that all changed, on two of ten images."""
    ids = np.arange(10).repeat(50)
    before = np.zeros(500, dtype=bool)
    after = ids < 2
    assert judge_gain(before, after, ids).verdict is Verdict.UNCLEAR
    assert judge_gain(before[::5], after[::5], np.arange(100)).verdict is Verdict.RISING


def test_judge_gain__a_loss_is_not_flat() -> None:
    """More labels made it worse here, by chance or not: that is no reason to say that they would not help."""
    ids = np.arange(400)
    assert judge_gain(ids > 10, ids > 40, ids).verdict is Verdict.UNCLEAR
