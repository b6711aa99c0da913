from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, jaccard_score, precision_recall_fscore_support

from ml_service.probability_calibration import ANY_CLASSES
from ml_service.quality_figures import MIN_PER_CLASS, describe


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=5, max_size=60))
def test_describe__as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, said = np.array(pairs).T
    figures = describe(np.eye(4)[said], np.eye(4)[truth], np.arange(len(pairs)), (11, 12, 13, 14))
    assert figures.accuracy is not None
    assert figures.accuracy.value == pytest.approx((truth == said).mean())
    occurs = sorted({*truth, *said})
    assert figures.confusion is not None
    assert figures.confusion.class_ids == tuple(11 + k for k in occurs)
    assert np.array_equal(
        figures.confusion.counts, confusion_matrix(truth, said, labels=range(4))[np.ix_(occurs, occurs)]
    )
    precision, recall, f1, support = precision_recall_fscore_support(truth, said, labels=range(4), zero_division=0)
    iou = jaccard_score(truth, said, labels=range(4), average=None, zero_division=0)
    for k, one in enumerate(figures.classes):
        assert one.support == support[k]
        assert one.precision == (pytest.approx(precision[k]) if (said == k).sum() >= MIN_PER_CLASS else None)
        for value, expected in ((one.recall, recall[k]), (one.f1, f1[k]), (one.iou, iou[k])):
            assert value == (pytest.approx(expected) if support[k] >= MIN_PER_CLASS else None)
    assert figures.macro_f1 == pytest.approx(f1[support > 0].mean())
    assert figures.mean_iou == pytest.approx(iou[support > 0].mean())
    assert figures.majority_share == pytest.approx(np.bincount(truth).max() / len(truth))


def test_describe__several_classes_may_hold() -> None:
    targets = np.array([[1, 1, 0]] * 5 + [[0, 1, 0]] * 5, dtype=float)
    logits = np.where(targets > 0, 3.0, -3.0)
    logits[0, 2] = 3.0
    figures = describe(logits, targets, np.arange(10), (1, 2, 3), ANY_CLASSES)
    assert figures.accuracy is not None
    assert figures.accuracy.value == 0.9
    assert figures.confusion is None
    assert figures.majority_share == 0.5
    first, second, third = figures.classes
    assert (first.precision, first.recall, second.f1) == (1.0, 1.0, 1.0)
    assert (third.support, third.predicted, third.precision) == (0, 1, None)


@pytest.mark.parametrize(("n_samples", "n_images"), [(0, 0), (4, 4), (9, 1)])
def test_describe__too_few_are_unknown_and_say_so(n_samples: int, n_images: int) -> None:
    targets = np.eye(2)[np.zeros(n_samples, dtype=int)]
    figures = describe(targets, targets, np.arange(n_samples) % max(1, n_images), (1, 2))
    assert figures.accuracy is figures.mean_iou is figures.calibration is None
    assert figures.unknown == (
        f"needs at least 5 labels on 2 images to try it on, so far there are {n_samples} on {n_images}"
    )


def test_describe__soft_targets_count_by_their_foremost_class() -> None:
    targets = np.array([[0.7, 0.3]] * 5 + [[0.2, 0.8]] * 5)
    figures = describe(targets, targets, np.arange(10), (1, 2))
    assert figures.accuracy is not None
    assert figures.accuracy.value == 1.0


def test_describe__micro_f1_of_several_classes() -> None:
    logits = np.array([[3.0, 3.0], [3.0, -3.0], [-3.0, -3.0], [3.0, -3.0], [-3.0, -3.0]])
    targets = np.array([[1, 0], [1, 0], [0, 0], [1, 1], [0, 1]], dtype=float)
    figures = describe(logits, targets, np.arange(5), [1, 2], ANY_CLASSES)
    # Three of the decisions that a class holds are right, four were made, five would have been.
    assert figures.micro_f1 == pytest.approx(6 / 9)
    assert figures.accuracy is not None
    assert figures.accuracy.value == pytest.approx(2 / 5)
