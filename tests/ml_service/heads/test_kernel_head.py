"""The live head of few points: learns, takes what people do, and answers the same question the same way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ml_service.heads.exclusive import fit_exclusive_head, restore_exclusive_head
from ml_service.heads.helpers import Helpers
from ml_service.heads.kernel_head import ROWS_AT_ONCE, KernelHead
from ml_service.heads.live import SEGMENTATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from tests.ml_service.heads.blobs import DIM, GROUPS, Float, Int, blobs


def fit(x: Float, y: Int, n_classes: int = 2, weights: Float | None = None) -> LiveHead | KernelHead:
    scaler = FeatureScaler.fit(blobs(50, 5, seed=5)[0], GROUPS)
    return fit_exclusive_head(x, y, weights, n_classes, scaler=scaler, config=SEGMENTATION)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_fit__separable_classes_are_learned(n_classes: int) -> None:
    head = fit(*blobs(4, n_classes), n_classes)
    x, y = blobs(50, n_classes, seed=1)
    assert isinstance(head, KernelHead)
    assert (head.logits(x).argmax(axis=-1) == y).mean() > 0.95


def test_fit__what_no_line_can_part_is_learned() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 60)
    y = np.arange(60) % 2
    x = rng.normal(0, 0.1, (60, DIM)).astype(np.float32)
    x[:, :2] += np.stack([np.cos(angle), np.sin(angle)], 1) * np.where(y, 3.0, 0.5)[:, None]
    scaler = FeatureScaler.identity(DIM)
    head = fit_exclusive_head(x[:40], y[:40], None, 2, scaler=scaler, config=SEGMENTATION)
    linear = LiveHead.fit(x[:40], y[:40], None, 2, scaler=scaler, config=SEGMENTATION)
    right, without = ((one.logits(x[40:]).argmax(axis=1) == y[40:]).mean() for one in (head, linear))
    assert right == 1
    assert right > without


def test_fit__many_points_go_to_the_linear_head() -> None:
    assert isinstance(fit(*blobs(32, 2)), KernelHead)
    assert isinstance(fit(*blobs(33, 2)), LiveHead)


@pytest.mark.parametrize("n_per_class", [6, 32, 40])
def test_fit__equal_points_count_once(n_per_class: int) -> None:
    x, y = blobs(n_per_class, 2)
    once, thrice = fit(x, y), fit(np.tile(x, (3, 1)), np.tile(y, 3))
    assert isinstance(thrice, type(once))
    np.testing.assert_array_equal(thrice.logits(x), once.logits(x))


@pytest.mark.parametrize("n_per_class", [4, 40])
def test_fit__what_does_not_go_together_is_refused(n_per_class: int) -> None:
    x, y = blobs(n_per_class, 2)
    ones = np.ones(len(x), np.float32)
    for features, classes, weights in ((x[1:], y, ones), (x, y[1:], ones), (x, y, ones[1:])):
        with pytest.raises(ValueError, match=r"found \d+ points, \d+ classes and \d+ weights"):
            fit(features, classes, weights=weights)
    with pytest.raises(ValueError, match="finite"):
        fit(np.full_like(x, np.nan), y)


def test_fit__points_of_no_weight_do_not_count() -> None:
    x, y = blobs(40, 2)
    weights = np.where(np.arange(80) % 2, 1, 0).astype(np.float32)
    head = fit(x, y, weights=weights)
    assert isinstance(head, KernelHead)
    np.testing.assert_array_equal(head.logits(x), fit(x[1::2], y[1::2]).logits(x))


def test_fit__order_does_not_matter() -> None:
    x, y = blobs(6, 3)
    order = np.random.default_rng(4).permutation(len(x))
    np.testing.assert_array_equal(fit(x, y, 3).logits(x), fit(x[order], y[order], 3).logits(x))


def test_fit__contradictory_points_meet_in_the_middle() -> None:
    x, _ = blobs(1, 1)
    head = fit(np.repeat(x, 2, axis=0), np.array([0, 1]))
    assert isinstance(head, KernelHead)
    np.testing.assert_allclose(head.probabilities(x), 0.5, atol=1e-4)


def test_fit__one_wrong_label_is_outvoted() -> None:
    x, y = blobs(6, 2)
    before = fit(x, y).probabilities(x)[:, 1]
    after = fit(np.vstack([x, x[:1]]), np.append(y, 1)).probabilities(x)[:, 1]
    assert before[0] < after[0]
    np.testing.assert_array_equal(after > 0.5, before > 0.5)


def test_fit__duplicates_change_little() -> None:
    x, y = blobs(4, 2, spread=0.8)
    other, _ = blobs(50, 2, seed=3, spread=0.8)
    before, after = (
        fit(*points).probabilities(other)[:, 1] for points in ((x, y), (np.tile(x, (3, 1)), np.tile(y, 3)))
    )
    assert np.abs(after - before).max() < 0.15
    assert ((after > 0.5) == (before > 0.5)).mean() > 0.97


def test_fit__class_without_points_never_wins() -> None:
    x, y = blobs(5, 2)
    far = np.random.default_rng(3).normal(0, 50, size=(2000, DIM)).astype(np.float32)
    winners = fit(x, np.where(y == 0, 1, 3), 5).logits(far).argmax(axis=-1)
    assert set(winners.tolist()) <= {1, 3}


def test_fit__one_class_only_is_not_certain() -> None:
    x, y = blobs(5, 1)
    assert fit(x, y).probabilities(x)[:, 0].max() < 0.8


def test_fit__an_outlier_is_no_disaster() -> None:
    x, y = blobs(5, 2)
    x[0] = 1e6
    other, truth = blobs(30, 2, seed=8)
    logits = fit(x, y).logits(np.vstack([other, x]))
    assert np.isfinite(logits).all()
    assert (logits[:60].argmax(axis=1) == truth).mean() > 0.9


def test_logits__grids_and_halves_as_rows_one_by_one() -> None:
    head = fit(*blobs(4, 3), 3)
    grid = np.random.default_rng(1).normal(3, 1, (17, 19, DIM)).astype(np.float16)
    one_by_one = np.stack([head.logits(row[None])[0] for row in grid.reshape(-1, DIM)]).reshape(17, 19, 3)
    np.testing.assert_allclose(head.logits(grid), one_by_one, atol=1e-4)


def test_logits__shared_among_threads_are_the_same_bitwise() -> None:
    head = fit(*blobs(4, 3), 3)
    assert isinstance(head, KernelHead)
    rows = np.random.default_rng(1).normal(3, 1, (4 * ROWS_AT_ONCE + 7, DIM)).astype(np.float32)
    np.testing.assert_array_equal(head.logits(rows, Helpers(3)), head.logits(rows))


def test_logits__other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="the features have D=5, this head expects 12"):
        fit(*blobs(4, 2)).logits(np.zeros((3, 5), np.float32))


def test_state__round_trip_through_a_file(tmp_path: Path) -> None:
    x, y = blobs(4, 3)
    head = fit(x, y, 3)
    save_file(head.state(), tmp_path / "head.safetensors")
    restored = restore_exclusive_head(load_file(tmp_path / "head.safetensors"))
    assert isinstance(restored, KernelHead)
    np.testing.assert_array_equal(restored.logits(x), head.logits(x))


def test_fit__the_group_that_tells_classes_apart_counts_more() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, DIM)).astype(np.float32), np.arange(40) % 2
    x[:, 8:] += np.where(y, 2.0, -2.0)[:, None].astype(np.float32)
    head = fit_exclusive_head(x, y, None, 2, scaler=FeatureScaler.fit(x, GROUPS), config=SEGMENTATION)
    assert isinstance(head, KernelHead)
    assert head.channel_weight[8] > 1 > head.channel_weight[0]


def test_fit__no_freedom_leaves_all_groups_alike() -> None:
    assert SEGMENTATION.kernel is not None
    config = replace(SEGMENTATION, kernel=replace(SEGMENTATION.kernel, group_freedom=1e-3))
    x, y = blobs(8, 2)
    head = fit_exclusive_head(x, y, None, 2, scaler=FeatureScaler.fit(x, GROUPS), config=config)
    assert isinstance(head, KernelHead)
    np.testing.assert_allclose(head.channel_weight, 1, atol=1e-3)
