"""The training loop of a full run, the same for every head.

It is a generator: whoever drives it decides between two batches whether to go on, to wait or to end. Suspending a run
is nothing but not asking for the next batch; all that the rest depends on lies in `LoopState`, which can be saved and
restored, so a suspended run goes on exactly as an unbroken one would.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ml_service.adamw import AdamW
from ml_service.early_stopping import EarlyStopping
from ml_service.losses.finite import check_finite
from ml_service.task_factory import Loss

WEIGHT_DECAY = 1e-2
MAX_BATCH_VALUES = 1 << 21
"""Numbers in the inputs of one batch: a person who clicks or stops a run waits for a batch, so it takes tens of ms."""


@dataclass(frozen=True)
class Tensors:
    """N samples: inputs (N, ...), targets (N, K) in 0..1, weights (N,)."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class BatchDone:
    """One step was taken, or a part of the held-out samples was looked at."""


@dataclass(frozen=True)
class EpochDone:
    """All training samples were seen once more."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    val_loss: float | None
    """None without held-out samples."""
    is_best: bool


Step = BatchDone | EpochDone


@dataclass
class LoopState:
    """Everything that the rest of a run depends on, beside its samples."""

    module: nn.Module
    optimizer: AdamW
    generator: torch.Generator
    """Draws the order of the samples."""
    stopping: EarlyStopping
    epoch: int = 0
    """Epochs done."""
    labels_epoch: int = 0
    """Epochs that were done when the labels that it now learns from were taken in."""
    order: list[int] = field(default_factory=list)
    """Order of the samples in the epoch at work."""
    position: int = 0
    """Samples of `order` that are done."""
    loss_sum: float = 0.0
    weight_sum: float = 0.0
    best_loss: float = math.inf
    """Least loss since the labels in force were taken in,"""
    best_epoch: int | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    reason: str | None = None
    """early_stop or max_epochs, once the run has ended by itself."""

    def save(self) -> dict[str, Any]:
        """A deep copy of all of it."""
        plain = {name: value for name, value in vars(self).items() if name not in ("module", "optimizer", "generator")}
        return copy.deepcopy(
            plain
            | {
                "module": self.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
            }
        )

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from where `save` was called."""
        saved = copy.deepcopy(saved)
        self.module.load_state_dict(saved.pop("module"))
        self.optimizer.load_state_dict(saved.pop("optimizer"))
        self.generator.set_state(saved.pop("generator"))
        vars(self).update(saved)


def start_loop(
    module: nn.Module, generator: torch.Generator, *, learning_rate: float, patience: int, threshold: float
) -> LoopState:
    """The state before the first batch."""
    optimizer = AdamW(module.parameters(), learning_rate, WEIGHT_DECAY)
    return LoopState(module, optimizer, generator, EarlyStopping(patience, threshold))


def bounded_batch_size(batch_size: int, inputs: Tensor) -> int:
    """At most `batch_size` of the samples (N, ...), fewer where one of them is large."""
    return max(1, min(batch_size, MAX_BATCH_VALUES // max(1, inputs[0].numel())))


def train(
    state: LoopState, training: Tensors, held_out: Tensors | None, loss: Loss, *, max_epochs: int, batch_size: int
) -> Iterator[Step]:
    """Train until the patience is used up or `max_epochs` are done on these labels; `state.reason` then tells which.

    The best weights are those with the least held-out loss, or with the least training loss where nothing is held out.

    Raises:
        DivergedError: a loss is infinite or not a number.
    """
    while state.reason is None:
        if not state.order:
            state.order = torch.randperm(len(training), generator=state.generator).tolist()

        while state.position < len(training):
            chosen = torch.tensor(state.order[state.position : state.position + batch_size])
            batch_loss = _step(state, training, chosen, loss)
            weight = float(training.weights[chosen].sum())
            state.loss_sum += batch_loss * weight
            state.weight_sum += weight
            state.position += len(chosen)
            yield BatchDone()

        val_loss = None if held_out is None else (yield from _held_out_loss(state, held_out, loss, batch_size))
        state.epoch += 1
        train_loss = state.loss_sum / state.weight_sum
        state.order, state.position, state.loss_sum, state.weight_sum = [], 0, 0.0, 0.0

        checked = train_loss if val_loss is None else val_loss
        is_best = checked < state.best_loss
        if is_best:
            state.best_loss, state.best_epoch = checked, state.epoch
            state.best_weights = copy.deepcopy(state.module.state_dict())
        state.stopping.update(checked)
        if state.stopping.should_stop:
            state.reason = "early_stop"
        elif state.epoch - state.labels_epoch >= max_epochs:
            state.reason = "max_epochs"
        yield EpochDone(state.epoch, train_loss, val_loss, is_best)


@torch.no_grad()
def mean_loss(module: nn.Module, samples: Tensors, loss: Loss, batch_size: int) -> float:
    """Loss of samples that are not trained on."""
    return _mean(_part_losses(module, samples, loss, batch_size))


def _held_out_loss(
    state: LoopState, samples: Tensors, loss: Loss, batch_size: int
) -> Generator[BatchDone, None, float]:
    """The same, with a pause after each part but the last; returns the loss."""
    parts: list[tuple[float, float]] = []
    for start in range(0, len(samples), batch_size):
        if start:
            yield BatchDone()
        with torch.no_grad():
            parts += _part_losses(state.module, _part(samples, start, batch_size), loss, batch_size)
    return checked_loss(_mean(parts), "held-out loss", state)


def _part_losses(module: nn.Module, samples: Tensors, loss: Loss, batch_size: int) -> list[tuple[float, float]]:
    parts = [_part(samples, start, batch_size) for start in range(0, len(samples), batch_size)]
    return [(float(loss(module(part.inputs), part.targets, part.weights)), float(part.weights.sum())) for part in parts]


def _part(samples: Tensors, start: int, count: int) -> Tensors:
    chosen = slice(start, start + count)
    return Tensors(samples.inputs[chosen], samples.targets[chosen], samples.weights[chosen])


def _mean(parts: list[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in parts) / sum(weight for _, weight in parts)


def _step(state: LoopState, training: Tensors, chosen: Tensor, loss: Loss) -> float:
    state.optimizer.zero_grad()
    logits = state.module(training.inputs[chosen])
    value = loss(logits, training.targets[chosen], training.weights[chosen])
    checked = checked_loss(float(value.detach()), "training loss", state)
    value.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    return checked


def checked_loss(value: float, name: str, state: LoopState) -> float:
    """`value`, if it is a finite number.

    Raises:
        DivergedError: it is not.
    """
    rate = state.optimizer.learning_rate
    return check_finite(value, name, epoch=state.epoch + 1, setting="learning_rate", rate=rate)
