"""The scaler: makes channels and groups comparable, whatever is in them."""

from __future__ import annotations

import numpy as np
import pytest

from ml_service.heads.scaler import FeatureScaler
from models.base import ChannelGroup

DIM = 12
GROUPS = (ChannelGroup("deep", 8), ChannelGroup("colour", 4))


def test_scaler__groups_weigh_the_same_whatever_their_size_and_unit() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(size=(500, DIM)) * np.r_[np.full(8, 1e3), np.full(4, 1e-3)] + 7
    scaled = FeatureScaler.fit(sample, GROUPS).transform(sample)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-2)
    assert (scaled[:, :8] ** 2).sum(axis=1).mean() == pytest.approx(1, rel=1e-2)
    assert (scaled[:, 8:] ** 2).sum(axis=1).mean() == pytest.approx(1, rel=1e-2)


def test_scaler__constant_channel_is_ignored() -> None:
    sample = np.random.default_rng(0).normal(size=(50, DIM)).astype(np.float32)
    sample[:, 3] = 2.0
    scaler = FeatureScaler.fit(sample, GROUPS)
    sample[:, 3] = 1e6
    assert (scaler.transform(sample)[:, 3] == 0).all()


def test_scaler__single_vector_and_one_grey_image() -> None:
    scaler = FeatureScaler.fit(np.ones((1, DIM), np.float32))
    assert (scaler.transform(np.full((4, DIM), 5, np.float32)) == 0).all()


def test_scaler__half_precision_sample() -> None:
    sample = np.random.default_rng(0).normal(400, 100, size=(5000, DIM)).astype(np.float16)
    assert np.isfinite(FeatureScaler.fit(sample, GROUPS).scale).all()


def test_scaler__groups_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="hold 8 channels, the features have 12"):
        FeatureScaler.fit(np.zeros((2, DIM)), GROUPS[:1])


def test_scaler__empty_sample() -> None:
    with pytest.raises(ValueError, match="at least one feature vector"):
        FeatureScaler.fit(np.zeros((0, DIM)))
