from __future__ import annotations

import numpy as np
import torch

from db.queries.session_info import HeadKind
from ml_service.heads.base import TorchHead, load_torch_head
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.segmentation_head import NEIGHBOURHOOD, make_segmentation_module
from models.geometry import sample_bilinear

DIM, N_CLASSES = 5, 3


def _head() -> TorchHead:
    generator = torch.Generator().manual_seed(1)
    module = make_segmentation_module(HeadKind.CONV, DIM, N_CLASSES, generator)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return TorchHead(FeatureScaler.identity(DIM), module, unit_norm=False)


def test_whole__equals_the_samples_at_the_cell_centres() -> None:
    features = np.random.default_rng(0).normal(size=(4, 6, DIM)).astype(np.float32)
    rows, columns = np.mgrid[:4, :6]
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    around = (centres[:, None] + np.array(NEIGHBOURHOOD)).reshape(-1, 2)
    inputs = torch.from_numpy(sample_bilinear(features, around).reshape(len(centres), 9, DIM))
    head = _head()
    with torch.no_grad():
        by_samples = head.module(inputs).numpy()
    np.testing.assert_allclose(head.logits(features).reshape(-1, N_CLASSES), by_samples, atol=1e-4)


def test_load_torch_head__gives_the_same_logits() -> None:
    features = np.random.default_rng(0).normal(size=(4, 6, DIM)).astype(np.float32)
    head = _head()
    fresh = make_segmentation_module(HeadKind.CONV, DIM, N_CLASSES, torch.Generator())
    again = load_torch_head(head.state(), fresh, unit_norm=False)
    np.testing.assert_array_equal(again.logits(features), head.logits(features))


def test_make_segmentation_module__global_random_state_plays_no_part() -> None:
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        module = make_segmentation_module(HeadKind.CONV, DIM, N_CLASSES, torch.Generator().manual_seed(0))
        states.append(module.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_make_segmentation_module__mlp_takes_points_and_whole_maps() -> None:
    module = make_segmentation_module(HeadKind.MLP, DIM, N_CLASSES, torch.Generator().manual_seed(0))
    head = TorchHead(FeatureScaler.identity(DIM), module, unit_norm=False)
    features = np.random.default_rng(0).normal(size=(4, 6, DIM)).astype(np.float32)
    with torch.no_grad():
        by_cells = module(torch.from_numpy(features.reshape(-1, DIM))).numpy()
    np.testing.assert_allclose(head.logits(features).reshape(-1, N_CLASSES), by_cells, atol=1e-6)
