from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from db.queries.session_info import HeadKind
from ml_service.errors import DivergedError
from ml_service.heads.classification_head import make_classification_module
from ml_service.losses.classification import classification_loss
from ml_service.training_loop import (
    MAX_BATCH_VALUES,
    BatchDone,
    EpochDone,
    LoopState,
    Tensors,
    bounded_batch_size,
    mean_loss,
    start_loop,
    train,
)

DIM, BATCH_SIZE = 6, 7


def _samples(count: int, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, DIM, generator=generator)
    noise = torch.randn(count, generator=generator)
    return Tensors(
        inputs,
        functional.one_hot((inputs[:, 0] + noise > 0).long(), 2).float(),
        torch.rand(count, generator=generator) + 0.5,
    )


def _state(patience: int = 5, threshold: float = 0.001, learning_rate: float = 0.05) -> LoopState:
    generator = torch.Generator().manual_seed(0)
    module = make_classification_module(HeadKind.MLP, DIM, 2, generator)
    return start_loop(module, generator, learning_rate=learning_rate, patience=patience, threshold=threshold)


def _weights(state: LoopState) -> bytes:
    return b"".join(value.numpy().tobytes() for value in state.module.state_dict().values())


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 10, 25])
def test_train__suspended_and_restored_equals_unbroken_bitwise(cut: int) -> None:
    training, held_out = _samples(30, 1), _samples(20, 2)
    unbroken = _state()
    expected = [
        step
        for step in train(unbroken, training, held_out, classification_loss, max_epochs=12, batch_size=BATCH_SIZE)
        if isinstance(step, EpochDone)
    ]
    first = _state()
    steps = list(
        itertools.islice(
            train(first, training, held_out, classification_loss, max_epochs=12, batch_size=BATCH_SIZE), cut
        )
    )
    saved = first.save()
    torch.manual_seed(99)
    resumed = _state()
    next(train(resumed, training, held_out, classification_loss, max_epochs=12, batch_size=BATCH_SIZE))
    resumed.restore(saved)
    steps += train(resumed, training, held_out, classification_loss, max_epochs=12, batch_size=BATCH_SIZE)
    assert [step for step in steps if isinstance(step, EpochDone)] == expected
    assert _weights(resumed) == _weights(unbroken)
    assert (resumed.reason, resumed.best_epoch) == (unbroken.reason, unbroken.best_epoch)


def test_train__keeps_the_best_weights_not_the_last() -> None:
    training, held_out = _samples(12, 1), _samples(200, 2)
    state = _state(patience=30)
    at_best: dict[str, Tensor] = {}
    losses = []
    for step in train(state, training, held_out, classification_loss, max_epochs=60, batch_size=BATCH_SIZE):
        if isinstance(step, EpochDone):
            losses.append(step.val_loss)
            if step.is_best:
                at_best = {name: value.clone() for name, value in state.module.state_dict().items()}
    assert state.best_epoch is not None
    assert losses[state.best_epoch - 1] == min(loss for loss in losses if loss is not None)
    assert state.best_epoch < state.epoch
    assert all(torch.equal(value, at_best[name]) for name, value in state.best_weights.items())


def test_train__patience_ends_it_early() -> None:
    state = _state(patience=3, threshold=10.0)
    list(train(state, _samples(20, 1), _samples(20, 2), classification_loss, max_epochs=50, batch_size=BATCH_SIZE))
    assert (state.reason, state.epoch) == ("early_stop", 4)


def test_train__without_held_out_samples_checks_the_training_loss() -> None:
    state = _state(patience=3, threshold=0.5)
    steps = list(train(state, _samples(20, 1), None, classification_loss, max_epochs=500, batch_size=BATCH_SIZE))
    last = steps[-1]
    assert isinstance(last, EpochDone)
    assert last.val_loss is None
    assert state.reason == "early_stop"


def test_train__ended_loop_has_nothing_more_to_do() -> None:
    state = _state()
    arguments = (_samples(8, 1), None, classification_loss)
    list(train(state, *arguments, max_epochs=2, batch_size=BATCH_SIZE))
    assert list(train(state, *arguments, max_epochs=2, batch_size=BATCH_SIZE)) == []


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_train__infinite_loss_raises(value: float) -> None:
    def loss(logits: Tensor, _targets: Tensor, _weights: Tensor) -> Tensor:
        return logits.sum() * 0 + value

    with pytest.raises(DivergedError, match=r"training loss became (inf|nan) in epoch 1 with learning_rate 0.05"):
        list(train(_state(), _samples(8, 1), None, loss, max_epochs=2, batch_size=BATCH_SIZE))


def test_train__held_out_samples_are_looked_at_in_parts() -> None:
    state = _state()
    held_out = _samples(20, 2)
    steps = train(state, _samples(6, 1), held_out, classification_loss, max_epochs=1, batch_size=BATCH_SIZE)
    *pauses, done = steps
    assert [type(step) for step in pauses] == [BatchDone] * 3
    assert isinstance(done, EpochDone)
    assert done.val_loss == pytest.approx(mean_loss(state.module, held_out, classification_loss, 1000), rel=1e-6)


def test_bounded_batch_size__large_samples_come_in_small_batches() -> None:
    assert bounded_batch_size(4096, torch.zeros(1, 384)) == 4096
    assert bounded_batch_size(4096, torch.zeros(1, 9, 384)) == MAX_BATCH_VALUES // (9 * 384)
    assert bounded_batch_size(4096, torch.zeros(1, 2 * MAX_BATCH_VALUES)) == 1
