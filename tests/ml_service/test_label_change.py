from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from db.queries.session_info import HeadKind
from ml_service.heads.segmentation_head import NEIGHBOURHOOD, make_segmentation_module
from ml_service.label_change import carry_over, output_names
from ml_service.losses.segmentation import segmentation_loss
from ml_service.training_loop import LoopState, Tensors, mean_loss, start_loop, train

DIM, BATCH_SIZE = 5, 16


def _samples(kind: HeadKind, n_classes: int, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    shape = (24, len(NEIGHBOURHOOD), DIM) if kind is HeadKind.CONV else (24, DIM)
    truth = torch.randint(n_classes, (24,), generator=generator)
    targets = functional.one_hot(truth, n_classes).float()
    return Tensors(torch.randn(shape, generator=generator), targets, torch.ones(24))


def _trained(kind: HeadKind, n_classes: int = 3) -> LoopState:
    generator = torch.Generator().manual_seed(0)
    module = make_segmentation_module(kind, DIM, n_classes, generator)
    state = start_loop(module, generator, learning_rate=0.05, patience=5, threshold=0.0)
    samples = _samples(kind, n_classes, 1)
    list(train(state, samples, None, segmentation_loss, max_epochs=3, batch_size=BATCH_SIZE))
    return state


def _carry(state: LoopState, kind: HeadKind, rows: list[int | None]) -> LoopState:
    module = make_segmentation_module(kind, DIM, len(rows), torch.Generator())
    samples = _samples(kind, len(rows), 2)
    return carry_over(state, module, rows, samples, None, segmentation_loss, BATCH_SIZE)


def _outputs(state: LoopState, samples: Tensors) -> Tensor:
    with torch.no_grad():
        logits: Tensor = state.module(samples.inputs)
    return logits


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 1, 2, None], [2, None, 0], [1, 2]])
def test_carry_over__classes_keep_what_was_learned_and_new_ones_begin_at_zero(
    kind: HeadKind, rows: list[int | None]
) -> None:
    state = _trained(kind)
    samples = _samples(kind, 3, 3)
    before = _outputs(state, samples)
    carried = _carry(state, kind, rows)
    after = _outputs(carried, samples)
    for new, old in enumerate(rows):
        expected = torch.zeros(len(samples)) if old is None else before[:, old]
        torch.testing.assert_close(after[:, new], expected)
    assert (carried.epoch, carried.labels_epoch, carried.reason) == (3, 3, None)
    assert (carried.best_epoch, carried.best_loss) == (None, math.inf)


@pytest.mark.parametrize("kind", HeadKind)
def test_carry_over__memory_of_the_optimizer_follows_the_rows(kind: HeadKind) -> None:
    state = _trained(kind)
    carried = _carry(state, kind, [2, None, 0])
    names = [name for name, _ in carried.module.named_parameters()]
    old, new = state.optimizer.state_dict(), carried.optimizer.state_dict()
    assert new["steps"] == old["steps"] > 0
    for number, name in enumerate(names):
        expected = old["means"][number]
        if name in output_names(carried.module):
            expected = torch.stack([expected[2], torch.zeros_like(expected[0]), expected[0]])
        torch.testing.assert_close(new["means"][number], expected)
    list(train(carried, _samples(kind, 3, 2), None, segmentation_loss, max_epochs=2, batch_size=BATCH_SIZE))
    assert carried.epoch == 5
    assert carried.best_epoch is not None
    assert carried.best_epoch > 3


def test_carry_over__progress_is_measured_against_the_old_weights_on_the_new_samples() -> None:
    state = _trained(HeadKind.LINEAR)
    carried = _carry(state, HeadKind.LINEAR, [0, 1, 2])
    best = make_segmentation_module(HeadKind.LINEAR, DIM, 3, torch.Generator())
    best.load_state_dict(state.best_weights)
    expected = mean_loss(best, _samples(HeadKind.LINEAR, 3, 2), segmentation_loss, BATCH_SIZE)
    assert carried.stopping.reference_loss == expected
    assert _carry(state, HeadKind.LINEAR, [0, 1, 2, None]).stopping.reference_loss == math.inf
