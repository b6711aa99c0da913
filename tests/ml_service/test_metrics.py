from __future__ import annotations

import numpy as np
import pytest

from ml_service.metrics import measure


def test_measure__by_hand() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    truth = np.array([0, 1, 1, 1])
    quality = measure(logits, truth, np.ones(4), np.array([1, 1, 2, 3]))
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert quality.loss == pytest.approx((3 * right + wrong) / 4)
    assert quality.accuracy == 0.75
    assert quality.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (quality.n_images, quality.n_samples) == (3, 4)


def test_measure__weights_count_in_the_loss_only() -> None:
    logits = np.array([[3.0, 0.0], [3.0, 0.0]], dtype=np.float32)
    quality = measure(logits, np.array([0, 1]), np.array([1.0, 0.0]), np.array([1, 2]))
    assert quality.loss == pytest.approx(np.log1p(np.exp(-3)))
    assert quality.accuracy == 0.5
