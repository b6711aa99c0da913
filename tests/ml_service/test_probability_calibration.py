from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ml_service.probability_calibration import (
    ANY_CLASSES,
    ONE_CLASS,
    calibrate,
    expected_error,
    fit_temperature,
    log_loss,
    reliability,
    shortage,
    sigmoids,
    softmax_rows,
)


def _sampled(n: int, *, too_sure: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits `too_sure` times what the classes were drawn by."""
    generator = np.random.default_rng(1)
    logits = generator.normal(scale=2.0, size=(n, 3))
    classes = [generator.choice(3, p=p) for p in softmax_rows(logits)]
    return logits * too_sure, np.eye(3)[classes]


def test_reliability__by_hand() -> None:
    p = np.array([[0.95, 0.05], [0.91, 0.09], [0.35, 0.65], [0.0, 1.0]])
    targets = np.eye(2)[[0, 1, 1, 1]]
    bins = reliability(p, targets, one_class=True)
    assert [(one.low, one.count, one.accuracy) for one in bins] == [(0.6, 1, 1.0), (0.9, 3, pytest.approx(2 / 3))]
    assert bins[1].confidence == pytest.approx((0.95 + 0.91 + 1.0) / 3)
    assert expected_error(bins) == pytest.approx((0.35 + 3 * abs(2.86 / 3 - 2 / 3)) / 4)


def test_reliability__several_classes_each_on_its_own() -> None:
    bins = reliability(np.array([[0.97, 0.02, 0.55]]), np.array([[1.0, 0.0, 0.0]]), one_class=False)
    assert [(one.low, one.count, one.accuracy) for one in bins] == [(0.5, 1, 0.0), (0.9, 2, 1.0)]


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_fit_temperature__finds_what_was_put_in(too_sure: float) -> None:
    logits, targets = _sampled(3000, too_sure=too_sure)
    assert fit_temperature(logits, targets, ONE_CLASS) == pytest.approx(too_sure, rel=0.12)


def test_fit_temperature__of_classes_each_on_its_own() -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(scale=2.0, size=(2000, 2))
    targets = (generator.random(logits.shape) < expit(logits)).astype(float)
    assert fit_temperature(2 * logits, targets, ANY_CLASSES) == pytest.approx(2, rel=0.1)


def test_calibrate__a_head_that_is_too_sure_would_gain() -> None:
    logits, targets = _sampled(800, too_sure=4.0)
    found = calibrate(logits, targets, np.arange(800) // 4, ONE_CLASS)
    assert found.log_loss_after < found.log_loss
    assert found.expected_error_after < found.expected_error / 2


def test_calibrate__a_temperature_never_judges_itself() -> None:
    """Each half alone is separable and asks for the lowest temperature, which the other half contradicts."""
    logits = np.array([[1.0, -1.0]] * 40)
    targets = np.eye(2)[[0, 1] * 20]
    found = calibrate(logits, targets, np.arange(40), ONE_CLASS)
    assert found.log_loss_after > found.log_loss


def test_shortage__says_what_is_missing() -> None:
    assert shortage(30, 5) is None
    assert "there are 29 on 5" in str(shortage(29, 5))
    assert "there are 300 on 4" in str(shortage(300, 4))


def test_sigmoids__do_not_overflow() -> None:
    p = sigmoids(np.array([[-1e6, 1e6]]))
    assert np.isfinite(log_loss(p, np.array([[1.0, 0.0]]), one_class=False))
