from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml_service.data_loaders.base import Samples, balance, balanced_weights, one_hot
from ml_service.data_loaders.conflicts import soften_conflicts
from ml_service.losses.segmentation import segmentation_loss


def _samples(class_index: list[int], weights: list[float], image_ids: list[int]) -> Samples:
    inputs = np.arange(2 * len(class_index), dtype=np.float32).reshape(-1, 2)
    return Samples(inputs, one_hot(class_index, 3), np.array(weights, np.float32), np.array(image_ids, np.intp))


def test_soften_conflicts__one_sample_with_shares_by_weight() -> None:
    samples = _samples([0, 1, 2, 1], [1.0, 0.5, 0.25, 1.0], [1, 1, 1, 2])
    softened = soften_conflicts(samples, np.array([7, 3, 7, 7]))
    np.testing.assert_allclose(softened.targets, [[0.8, 0, 0.2], [0, 1, 0], [0, 1, 0]], rtol=1e-6)
    np.testing.assert_allclose(softened.inputs, [[0.8, 1.8], [2, 3], [6, 7]], rtol=1e-6)
    assert softened.weights.tolist() == [1.0, 0.5, 1.0]
    assert softened.image_ids.tolist() == [1, 1, 2]


def test_soften_conflicts__points_that_agree_stay_as_they_are() -> None:
    samples = _samples([0, 0, 1], [1.0, 1.0, 1.0], [1, 1, 2])
    assert soften_conflicts(samples, np.array([7, 7, 7])) is samples


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0.3, 1.0]), st.integers(1, 3), st.integers(0, 2)), min_size=1
    )
)
def test_soften_conflicts__no_cell_disagrees_with_itself(rows: list[tuple[int, float, int, int]]) -> None:
    class_index, weights, image_ids, cells = (list(column) for column in zip(*rows, strict=True))
    softened = soften_conflicts(_samples(class_index, weights, image_ids), np.array(cells))
    np.testing.assert_allclose(softened.targets.sum(axis=1), 1, rtol=1e-5)
    assert softened.weights.min() > 0
    assert 0 < len(softened) <= len(rows)
    assert set(softened.image_ids.tolist()) == set(image_ids)


def test_balance__soft_target_weighs_each_class_by_its_factor() -> None:
    samples = soften_conflicts(_samples([0, 1, 1, 0], [1.0, 0.5, 1.0, 1.0], [1, 1, 2, 3]), np.array([7, 7, 0, 0]))
    factors = balanced_weights(samples)
    balanced = balance(samples, factors)
    logits = torch.randn(len(samples), 3, generator=torch.Generator().manual_seed(0))
    log_p = torch.log_softmax(logits, dim=1).numpy()
    expected = -(samples.weights[:, None] * samples.targets * factors * log_p).sum() / balanced.weights.sum()
    found = segmentation_loss(logits, torch.from_numpy(balanced.targets), torch.from_numpy(balanced.weights))
    np.testing.assert_allclose(float(found), expected, rtol=1e-5)
    np.testing.assert_allclose(balanced.targets.sum(axis=1), 1, rtol=1e-6)
