"""The live head: learns what can be learned, survives what people do, and answers the same question the same way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from ml_service.heads.live import CLASSIFICATION, SEGMENTATION, LiveHead, LiveHeadConfig, prepare_inputs
from ml_service.heads.scaler import FeatureScaler
from tests.ml_service.heads.blobs import DIM, GROUPS, Float, Int, blobs

BOTH = pytest.mark.parametrize("config", [SEGMENTATION, CLASSIFICATION], ids=["segmentation", "classification"])


def make_scaler(n_classes: int = 3) -> FeatureScaler:
    return FeatureScaler.fit(blobs(50, n_classes, seed=5)[0], GROUPS)


def fit(
    x: Float, y: Int, n_classes: int, config: LiveHeadConfig = SEGMENTATION, weights: Float | None = None
) -> LiveHead:
    return LiveHead.fit(x, y, weights, n_classes, scaler=make_scaler(), config=config)


@BOTH
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_fit__separable_classes_are_learned(config: LiveHeadConfig, n_classes: int) -> None:
    x, y = blobs(4, n_classes)
    test_x, test_y = blobs(50, n_classes, seed=1)
    head = LiveHead.fit(x, y, None, n_classes, scaler=make_scaler(n_classes), config=config)
    assert (head.logits(test_x).argmax(axis=-1) == test_y).mean() > 0.95


@BOTH
@pytest.mark.parametrize("n_classes", [2, 3, 50])
def test_fit__single_class_wins_everywhere_moderately(config: LiveHeadConfig, n_classes: int) -> None:
    x, _ = blobs(3, 1)
    p = fit(x, np.full(3, n_classes - 1), n_classes, config).probabilities(blobs(40, 3)[0])
    np.testing.assert_allclose(p[:, -1], 0.731, atol=1e-3)


def test_fit__one_label_a_class_is_the_nearest_label() -> None:
    x, y = blobs(1, 5)
    test_x, _ = blobs(40, 5, seed=1, spread=0.6)
    scaler = make_scaler(5)
    head = LiveHead.fit(x, y, None, 5, scaler=scaler, config=CLASSIFICATION)
    labels, others = (prepare_inputs(rows, scaler, CLASSIFICATION) for rows in (x, test_x))
    nearest = np.linalg.norm(others[:, None] - labels, axis=2).argmin(axis=1)
    assert (head.logits(test_x).argmax(axis=1) == nearest).mean() > 0.98


def test_fit__rare_class_is_not_outvoted_by_the_bias() -> None:
    x, y = blobs(30, 2, spread=1.0)
    test_x, test_y = blobs(200, 2, seed=1, spread=1.0)
    few = slice(29, None)
    free = replace(CLASSIFICATION, bias_penalty=0.0)
    dear, without = (fit(x[few], y[few], 2, config).logits(test_x).argmax(axis=1) for config in (CLASSIFICATION, free))
    rare = test_y == 0
    assert (dear[rare] == 0).mean() > (without[rare] == 0).mean()
    assert (dear == test_y).mean() > (without == test_y).mean()


@BOTH
def test_fit__no_points_gives_even_odds(config: LiveHeadConfig) -> None:
    head = fit(np.zeros((0, DIM), np.float32), np.zeros(0, np.int64), 4, config)
    np.testing.assert_allclose(head.probabilities(blobs(5, 2)[0]), 0.25)


@BOTH
def test_fit__class_without_points_never_wins(config: LiveHeadConfig) -> None:
    x, y = blobs(5, 2)
    far = np.random.default_rng(3).normal(0, 50, size=(2000, DIM)).astype(np.float32)
    winners = fit(x, np.where(y == 0, 1, 3), 5, config).logits(far).argmax(axis=-1)
    assert set(winners.tolist()) <= {1, 3}


@BOTH
def test_fit__contradictory_points_meet_in_the_middle(config: LiveHeadConfig) -> None:
    x, _ = blobs(1, 1)
    head = fit(np.repeat(x, 2, axis=0), np.array([0, 1]), 2, config)
    np.testing.assert_allclose(head.probabilities(x), 0.5, atol=1e-4)


@BOTH
def test_fit__duplicates_count_like_weights(config: LiveHeadConfig) -> None:
    x, y = blobs(3, 2)
    doubled = fit(np.r_[x, x[:1]], np.r_[y, y[:1]], 2, config)
    weighted = fit(x, y, 2, config, np.array([2, 1, 1, 1, 1, 1], np.float32))
    np.testing.assert_allclose(doubled.logits(x), weighted.logits(x), atol=2e-3)


@BOTH
def test_fit__one_against_a_thousand(config: LiveHeadConfig) -> None:
    x, y = blobs(1000, 2)
    used = np.r_[np.arange(1000), 1000]
    test_x, test_y = blobs(100, 2, seed=1)
    found = fit(x[used], y[used], 2, config).logits(test_x).argmax(axis=-1)
    assert (found[test_y == 1] == 1).mean() > 0.8
    assert (found[test_y == 0] == 0).mean() > 0.95


def test_fit__points_of_weight_zero_do_not_count() -> None:
    x, y = blobs(4, 2)
    noisy = np.r_[x, x], np.r_[y, 1 - y]
    head = fit(*noisy, 2, weights=np.r_[np.ones(8), np.zeros(8)].astype(np.float32))
    np.testing.assert_array_equal(head.logits(x), fit(x, y, 2).logits(x))


@BOTH
@pytest.mark.parametrize("n_per_class", [2, 40])
def test_fit__bitwise_the_same_in_any_order_and_after_undo(config: LiveHeadConfig, n_per_class: int) -> None:
    x, y = blobs(n_per_class, 3)
    before = fit(x, y, 3, config).logits(x)
    fit(np.r_[x, x[:1]], np.r_[y, [2]], 3, config)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(fit(x[order], y[order], 3, config).logits(x), before)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(2, 5), st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 1.0, 1e4]))
def test_fit__always_finite(n_points: int, n_classes: int, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, size, (n_points, DIM)).astype(np.float32)
    y = rng.integers(0, n_classes, n_points)
    p = fit(x, y, n_classes).probabilities(x)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-4)


def test_fit__is_at_the_minimum() -> None:
    """Fewer and more points than channels take different paths; neither can be improved by a small step."""
    for n_per_class in (3, 30):
        x, y = blobs(n_per_class, 3, spread=2.0)
        scaler, config = make_scaler(), LiveHeadConfig(data_weight=1.0, balance=0.0, unit_norm=False)
        head = LiveHead.fit(x, y, None, 3, scaler=scaler, config=config)
        scaled = scaler.transform(x).astype(np.float64)

        def loss(
            weight: npt.NDArray[np.float64], bias: Float, z: npt.NDArray[np.float64] = scaled, t: Int = y
        ) -> float:
            logits = z @ weight.T + bias
            log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            return float(0.5 * (weight**2).sum() - log_p[np.arange(len(t)), t].sum())

        best = loss(head.weight.astype(np.float64), head.bias)
        rng = np.random.default_rng(0)
        for _ in range(50):
            step = rng.normal(0, 0.02, head.weight.shape)
            assert loss(head.weight + step, head.bias) > best - 1e-6


def test_logits__commute_with_interpolation() -> None:
    head = fit(*blobs(4, 3), 3)
    grid = np.random.default_rng(0).normal(3, 1, (6, 9, DIM)).astype(np.float32)
    middle = (grid[:, 1:] + grid[:, :-1]) / 2
    logits = head.logits(grid)
    np.testing.assert_allclose(head.logits(middle), (logits[:, 1:] + logits[:, :-1]) / 2, atol=1e-3)
    assert logits.shape == (6, 9, 3)
    assert logits.dtype == np.float32


def test_logits__half_precision_features() -> None:
    x, y = blobs(4, 3)
    head = fit(x, y, 3)
    np.testing.assert_allclose(head.logits(x.astype(np.float16)), head.logits(x), atol=0.1)


def test_logits__features_of_another_extractor() -> None:
    with pytest.raises(ValueError, match="have D=5, this head expects 12"):
        fit(*blobs(2, 2), 2).logits(np.zeros((3, 5), np.float32))


def test_fit__more_data_weight_fits_closer() -> None:
    x, y = blobs(3, 2, spread=1.0)
    losses = []
    for data_weight in (0.1, 1.0, 10.0):
        config = LiveHeadConfig(data_weight=data_weight, balance=0.5, unit_norm=False)
        losses.append(-np.log(fit(x, y, 2, config).probabilities(x)[np.arange(6), y]).mean())
    assert all(earlier > later for earlier, later in pairwise(losses))


@BOTH
def test_state__round_trip_through_safetensors(config: LiveHeadConfig, tmp_path: Path) -> None:
    x, y = blobs(4, 3)
    head = fit(x, y, 3, config)
    save_file(head.state(), tmp_path / "head.safetensors")
    restored = LiveHead.from_state(load_file(tmp_path / "head.safetensors"))
    np.testing.assert_array_equal(restored.logits(x), head.logits(x))
    assert restored.scaler.group_sizes == (8, 4)


@pytest.mark.parametrize(
    ("features", "labels", "weights", "n_classes", "message"),
    [
        (np.zeros((2, DIM)), np.array([0, 2]), None, 2, r"run 0\.\.2, expected 0\.\.1"),
        (np.zeros((2, DIM)), np.array([-1, 0]), None, 2, "class indices"),
        (np.zeros((2, 3)), np.array([0, 1]), None, 2, r"expected \(N, 12\)"),
        (np.zeros((2, DIM)), np.array([0]), None, 2, "1 classes"),
        (np.full((1, DIM), np.nan), np.array([0]), None, 2, "finite"),
        (np.zeros((1, DIM)), np.array([0]), np.array([-1.0]), 2, "not negative"),
        (np.zeros((1, DIM)), np.array([0]), None, 1, "at least 2 classes"),
    ],
)
def test_fit__wrong_input_is_named(
    features: Float, labels: Int, weights: Float | None, n_classes: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(features, labels, n_classes, weights=weights)
