"""A run goes on with other labels: what it has learned so far is fitted to the classes that there are now."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ml_service.adamw import AdamW
from ml_service.early_stopping import EarlyStopping
from ml_service.task_factory import Loss
from ml_service.training_loop import WEIGHT_DECAY, LoopState, Tensors, checked_loss, mean_loss


def carry_over(
    state: LoopState,
    module: nn.Module,
    rows: Sequence[int | None],
    training: Tensors,
    held_out: Tensors | None,
    loss: Loss,
    batch_size: int,
) -> LoopState:
    """The state from which a run goes on with new samples, at the beginning of an epoch.

    Weights and the optimizer's memory go on as they are. The best weights are sought anew, as those so far have not
    learned from all labels; but what they reach on the new samples is what the next epochs have to improve on, for the
    run to be worth its time. Patience begins anew.

    Args:
        module: a fresh one, of the new number of classes.
        rows: for each class of `module` its row in the outputs of `state.module`; None for a class that is new, which
            begins at zero.

    Raises:
        DivergedError: the best weights have no finite loss on the new samples.
    """
    module.load_state_dict(_mapped(state.module.state_dict(), output_names(module), rows))
    optimizer = AdamW(module.parameters(), state.optimizer.learning_rate, WEIGHT_DECAY)
    optimizer.load_state_dict(_mapped_memory(state, module, rows))
    carried = LoopState(
        module,
        optimizer,
        state.generator,
        EarlyStopping(state.stopping.patience, state.stopping.threshold),
        epoch=state.epoch,
        labels_epoch=state.epoch,
    )
    # What has never heard of a class is no measure of what knows it.
    if state.best_weights and None not in rows:
        best = copy.deepcopy(module)
        best.load_state_dict(_mapped(state.best_weights, output_names(module), rows))
        measured = mean_loss(best, training if held_out is None else held_out, loss, batch_size)
        carried.stopping.reference_loss = checked_loss(measured, "loss on the new labels", carried)
    return carried


def output_names(module: nn.Module) -> frozenset[str]:
    """Names of the parameters that have a row for each class: those of the last linear layer."""
    layers = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    prefix = f"{layers[-1]}." if layers[-1] else ""
    return frozenset({f"{prefix}weight", f"{prefix}bias"})


def _mapped(weights: dict[str, Tensor], outputs: frozenset[str], rows: Sequence[int | None]) -> dict[str, Tensor]:
    return {name: _take_rows(value, rows) if name in outputs else value.clone() for name, value in weights.items()}


def _mapped_memory(state: LoopState, module: nn.Module, rows: Sequence[int | None]) -> dict[str, Any]:
    memory = state.optimizer.state_dict()
    names = [name for name, _ in module.named_parameters()]
    outputs = output_names(module)
    mapped = {
        key: list(_mapped(dict(zip(names, memory[key], strict=True)), outputs, rows).values())
        for key in ("means", "squares")
    }
    return memory | mapped


def _take_rows(value: Tensor, rows: Sequence[int | None]) -> Tensor:
    taken = torch.zeros((len(rows), *value.shape[1:]), dtype=value.dtype)
    for new, old in enumerate(rows):
        if old is not None:
            taken[new] = value[old]
    return taken
