from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_service.confidence_intervals import clustered_share, wilson


@given(st.integers(1, 400), st.data())
def test_wilson__as_scipy(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    share = wilson(right / n, n)
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert share.low <= share.value <= share.high


def test_clustered_share__one_sample_an_image_is_wilson() -> None:
    right = np.array([True] * 7 + [False] * 3)
    assert clustered_share(right, np.arange(10)) == wilson(0.7, 10)


def test_clustered_share__one_image_says_nothing() -> None:
    share = clustered_share(np.array([True, True, False]), np.array([4, 4, 4]))
    assert (share.low, share.high) == (0.0, 1.0)


def test_clustered_share__repeating_points_of_an_image_adds_no_certainty() -> None:
    right = np.array([True, False, True, True, False, True, True, False, True, True])
    ids = np.arange(10)
    once, often = clustered_share(right, ids), clustered_share(right.repeat(20), ids.repeat(20))
    assert often.high - often.low >= once.high - once.low


@pytest.mark.parametrize(("n_images", "alike"), [(6, 1.0), (20, 1.0), (20, 4.0), (60, 0.3)])
def test_clustered_share__covers_the_truth(n_images: int, alike: float) -> None:
    """Images differ in how hard they are (beta, mean 0.8): about 95 of 100 intervals must hold 0.8."""
    generator = np.random.default_rng(0)
    hits = plain_hits = 0
    trials = 300
    for _ in range(trials):
        hardness = generator.beta(0.8 * alike, 0.2 * alike, n_images)
        points = generator.integers(1, 13, n_images)
        right = generator.random(points.sum()) < hardness.repeat(points)
        share = clustered_share(right, np.arange(n_images).repeat(points))
        hits += share.low <= 0.8 <= share.high
        plain = wilson(share.value, len(right))
        plain_hits += plain.low <= 0.8 <= plain.high
    assert hits >= 0.9 * trials
    assert plain_hits < hits


def test_clustered_share__variance_factor_counts_samples_for_less() -> None:
    right = np.array([True] * 30 + [False] * 10)
    assert clustered_share(right, np.arange(40), 2.0) == wilson(0.75, 20)
    ids = np.arange(40) // 4
    plain, wider = clustered_share(right, ids), clustered_share(right, ids, 2.25)
    assert wider.high - wider.low > plain.high - plain.low
