from __future__ import annotations

import numpy as np
import pytest

from ml_service.metrics import measure
from ml_service.probability_calibration import ANY_CLASSES


def test_measure__by_hand() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    truth = np.eye(2)[[0, 1, 1, 1]]
    quality = measure(logits, truth, np.ones(4), np.array([1, 1, 2, 3]))
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert quality.loss == pytest.approx((3 * right + wrong) / 4)
    assert quality.accuracy == 0.75
    assert quality.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (quality.n_images, quality.n_samples) == (3, 4)


def test_measure__weights_count_in_the_loss_only() -> None:
    logits = np.array([[3.0, 0.0], [3.0, 0.0]], dtype=np.float32)
    quality = measure(logits, np.eye(2), np.array([1.0, 0.0]), np.array([1, 2]))
    assert quality.loss == pytest.approx(np.log1p(np.exp(-3)))
    assert quality.accuracy == 0.5


def test_measure__interval_holds_the_accuracy() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    quality = measure(logits, np.eye(2)[[0, 1, 1, 1]], np.ones(4), np.array([1, 2, 3, 4]))
    assert 0.3 < quality.accuracy_low < 0.75 < quality.accuracy_high < 1


def test_measure__several_classes_may_hold() -> None:
    logits = np.array([[3.0, 3.0, -3.0], [3.0, -3.0, -3.0]])
    quality = measure(logits, np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]), np.ones(2), np.array([1, 2]), ANY_CLASSES)
    assert quality.accuracy == 0.5
    assert quality.mean_iou == pytest.approx((1 + 0.5) / 2)
    right, wrong = np.log1p(np.exp(-3)), np.log1p(np.exp(3))
    assert quality.loss == pytest.approx((5 * right + wrong) / 2)
