"""Heads of multi-label classification: the module that a full run trains, and the live head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from db.queries.session_info import HeadKind
from ml_service.data_loaders.base import FloatArray, Samples
from ml_service.heads.base import make_linear, make_mlp
from ml_service.heads.exclusive_groups import ALONE, GroupedHead, GroupOf, members
from ml_service.heads.live import LiveHead, LiveHeadConfig, prepare_inputs
from ml_service.heads.scaler import FeatureScaler

HIDDEN_WIDTH = 64


def make_multilabel_module(kind: HeadKind, dim: int, n_classes: int, generator: torch.Generator) -> nn.Module:
    """The module to train: vectors (N, P) to scores (N, K)."""
    if kind is HeadKind.LINEAR:
        return make_linear(dim, n_classes)
    return make_mlp(dim, HIDDEN_WIDTH, n_classes, generator)


def fit_multilabel_head(
    samples: Samples, group_of: GroupOf, *, scaler: FeatureScaler, config: LiveHeadConfig
) -> GroupedHead:
    """The live head: one softmax fit for each group, with "none of them" among its outcomes, and a binary one for each
    class in no group.

    An outcome that no image has yet gets the same low probability everywhere: 1 / (n + 2) for a class in no group after
    n images without it (Laplace's rule), and the other way round for one that all of them have.

    Args:
        samples: Targets (N, K) in 0..1, N > 0. Two classes of a group that one image has, from before they excluded
            each other, count half each.
    """
    inputs = prepare_inputs(samples.inputs, scaler, config)
    weight = np.zeros((samples.targets.shape[1], inputs.shape[1]), np.float32)
    bias = np.zeros(len(weight), np.float32)
    for columns in _questions(group_of):
        weight[columns], bias[columns] = _answer(inputs, samples, columns, scaler, config)
    return GroupedHead(LiveHead(weight, bias, scaler, config.unit_norm), group_of)


def _questions(group_of: GroupOf) -> Iterator[npt.NDArray[np.intp]]:
    """Columns that are told apart by one fit."""
    yield from members(group_of)
    for column in np.flatnonzero(group_of == ALONE):
        yield np.array([column])


def _answer(
    inputs: FloatArray,
    samples: Samples,
    columns: npt.NDArray[np.intp],
    scaler: FeatureScaler,
    config: LiveHeadConfig,
) -> tuple[FloatArray, FloatArray]:
    """Weights (n, D) and biases (n,) of the classes in `columns`, against "none of them" at zero."""
    outcomes = _outcomes(samples.targets[:, columns])
    row, outcome = np.nonzero(outcomes)
    head, _, _ = LiveHead.fit_prepared(
        inputs[row],
        outcome.astype(np.int64),
        (outcomes[row, outcome] * samples.weights[row]).astype(np.float32),
        len(columns) + 1,
        scaler=scaler,
        config=config,
    )
    bias = head.bias.copy()
    bias[~outcomes.any(axis=0)] = -np.log(len(samples) + 1.0)
    return head.weight[1:] - head.weight[0], bias[1:] - bias[0]


def _outcomes(targets: FloatArray) -> FloatArray:
    """(N, 1 + n), rows of sum 1: none of the classes, then each of them."""
    totals = targets.sum(axis=1, keepdims=True)
    return np.concatenate([np.maximum(1.0 - totals, 0.0), targets / np.maximum(totals, 1.0)], axis=1)
