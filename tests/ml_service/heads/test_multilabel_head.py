from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from db.queries.session_info import HeadKind
from ml_service.data_loaders.base import Samples
from ml_service.heads.exclusive_groups import ALONE, GroupedHead
from ml_service.heads.live import MULTILABEL, LiveHeadConfig
from ml_service.heads.multilabel_head import (
    Before,
    fit_multilabel_head,
    fit_multilabel_prepared,
    known_curvature,
    make_multilabel_module,
)
from ml_service.heads.scaler import FeatureScaler

CONFIG = LiveHeadConfig(data_weight=30.0, balance=0.5, unit_norm=False)
GROUP_OF = np.array([0, 0, ALONE])
"""Day and night exclude each other, car stands alone."""


def samples(targets: list[list[float]], inputs: np.ndarray | None = None) -> Samples:
    found = np.array(targets, np.float32)
    generator = np.random.default_rng(0)
    noise = generator.normal(scale=0.1, size=(len(found), 4)).astype(np.float32)
    noise[:, :3] += 2 * found - 1
    return Samples(noise if inputs is None else inputs, found, np.ones(len(found), np.float32), np.arange(len(found)))


def fit(data: Samples, group_of: np.ndarray = GROUP_OF) -> GroupedHead:
    return fit_multilabel_head(data, group_of, scaler=FeatureScaler.identity(4), config=CONFIG)


def test_fit__tells_every_class_and_none() -> None:
    truth = [[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]] * 3
    data = samples(truth)
    head = fit(data)
    p = expit(head.logits(data.inputs))
    assert ((p > 0.5) == (data.targets > 0.5)).all()
    assert (p[:, :2].sum(axis=1) <= 1 + 1e-6).all()


def test_fit__equal_labels_give_an_equal_head() -> None:
    data = samples([[1, 0, 0], [0, 1, 1], [0, 0, 1]])
    first, second = fit(data), fit(data)
    assert (first.logits(data.inputs) == second.logits(data.inputs)).all()


def test_fit__unseen_outcomes_get_a_low_constant_probability() -> None:
    # Day and car on no image, night on every one.
    data = samples([[0, 1, 0]] * 8)
    p = expit(fit(data).logits(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)))
    assert np.ptp(p, axis=0).max() < 1e-6
    assert p[0, 2] == pytest.approx(1 / 10)
    assert p[0, 1] > 0.8
    assert p[0, 0] < 0.15
    # A class that every image has.
    everywhere = expit(fit(samples([[0, 0, 1]] * 8)).logits(data.inputs))
    assert everywhere[0, 2] == pytest.approx(9 / 10)


def test_fit__two_classes_of_a_group_on_one_image_count_half_each() -> None:
    inputs = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0]], np.float32)
    p = expit(fit(samples([[1, 1, 0], [1, 1, 0], [0, 0, 1]], inputs)).logits(inputs))
    assert p[0, :2] == pytest.approx([p[0, 1], p[0, 0]], abs=1e-3)
    assert 0.8 < p[0, :2].sum() <= 1 + 1e-6


def test_make_module__scores_for_each_class() -> None:
    generator = torch.Generator().manual_seed(0)
    for kind in (HeadKind.LINEAR, HeadKind.MLP):
        assert make_multilabel_module(kind, 4, 3, generator)(torch.zeros(2, 4)).shape == (2, 3)


def test_fit__few_vectors_of_many_channels_as_in_full() -> None:
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(12, 40)).astype(np.float32)
    inputs[5] = inputs[6]
    targets = (generator.random((12, 3)) < 0.4).astype(np.float32)
    targets[:, 1] *= 1 - targets[:, 0]
    weights, image_ids = np.ones(12, np.float32), np.arange(12)
    in_span = fit_multilabel_head(
        Samples(inputs, targets, weights, image_ids), GROUP_OF, scaler=FeatureScaler.identity(40), config=CONFIG
    )
    # As many vectors as channels by images of weight zero: solved as they are.
    more = generator.normal(size=(28, 40)).astype(np.float32)
    padded = Samples(
        np.concatenate([inputs, more]),
        np.concatenate([targets, np.zeros((28, 3), np.float32)]),
        np.concatenate([weights, np.zeros(28, np.float32)]),
        np.arange(40),
    )
    in_full = fit_multilabel_head(padded, GROUP_OF, scaler=FeatureScaler.identity(40), config=CONFIG)
    probe = generator.normal(size=(50, 40)).astype(np.float32)
    assert in_span.logits(probe) == pytest.approx(in_full.logits(probe), abs=2e-3)


ANSWERS = st.sampled_from([[1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0], [1, 0, np.nan], [np.nan, 0, 1], [np.nan] * 3])
STEPS = st.one_of(st.tuples(st.integers(0, 29), ANSWERS), st.just("look ahead"))


@settings(deadline=None, max_examples=20)
@given(st.lists(STEPS, max_size=12), st.integers(0, 3))
def test_fit__after_any_history_as_from_nothing(steps: list[tuple[int, list[float]] | str], seed: int) -> None:
    generator = np.random.default_rng(seed)
    scaler, inputs = FeatureScaler.identity(12), generator.normal(size=(30, 12)).astype(np.float32)
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    config = MULTILABEL
    targets = np.full((30, 3), np.nan, np.float32)
    targets[:6] = [[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    n_rows, answers, curvatures = 6, {}, {}
    for step in steps:
        if isinstance(step, str):
            curvatures = {s: known_curvature(inputs, one, config) for s, one in answers.items() if one.is_question}
            continue
        targets[step[0]] = step[1]
        n_rows = max(n_rows, step[0] + 1)
        before = Before(answers, curvatures, inputs_stay=True)
        now = (inputs[:n_rows], targets[:n_rows], range(3), GROUP_OF)
        head, answers = fit_multilabel_prepared(*now, scaler=scaler, config=config, before=before)
        cold, _ = fit_multilabel_prepared(*now, scaler=scaler, config=config)
        np.testing.assert_allclose(head.logits(inputs), cold.logits(inputs), atol=1e-4)
