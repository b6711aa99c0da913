"""Heads of multi-label classification: the module that a full run trains, and the live head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import solve_triangular
from torch import nn

from db.queries.session_info import HeadKind
from ml_service.data_loaders.base import FloatArray, Samples
from ml_service.heads.base import make_linear, make_mlp
from ml_service.heads.exclusive_groups import ALONE, GroupedHead, GroupOf, members
from ml_service.heads.live import LiveHead, LiveHeadConfig, prepare_inputs
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.softmax_fit import Solution

Solutions = Mapping[tuple[int, ...], Solution]
"""Of each question, by its columns."""
HIDDEN_WIDTH = 64
JITTER = 1e-5
"""Of the mean squared norm."""


def make_multilabel_module(kind: HeadKind, dim: int, n_classes: int, generator: torch.Generator) -> nn.Module:
    """The module to train: vectors (N, P) to scores (N, K)."""
    if kind is HeadKind.LINEAR:
        return make_linear(dim, n_classes)
    return make_mlp(dim, HIDDEN_WIDTH, n_classes, generator)


def fit_multilabel_head(
    samples: Samples,
    group_of: GroupOf,
    *,
    scaler: FeatureScaler,
    config: LiveHeadConfig,
    give_up: Callable[[], bool] = lambda: False,
) -> GroupedHead:
    """The live head: one softmax fit for each group, with "none of them" among its outcomes, and a binary one for each
    class in no group.

    An outcome that no image has yet gets the same low probability everywhere: 1 / (n + 2) for a class in no group after
    n images without it (Laplace's rule), and the other way round for one that all of them have.

    Args:
        samples: Targets (N, K) in 0..1, N > 0; an image teaches nothing of a question to which it has a NaN. Two
            classes of a group that one image has, from before they excluded each other, count half each.
        give_up: See `fit_softmax`.
    """
    prepared = replace(samples, inputs=prepare_inputs(samples.inputs, scaler, config))
    return fit_multilabel_prepared(prepared, group_of, scaler=scaler, config=config, give_up=give_up)[0]


def fit_multilabel_prepared(
    samples: Samples,
    group_of: GroupOf,
    *,
    scaler: FeatureScaler,
    config: LiveHeadConfig,
    start: Solutions | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> tuple[GroupedHead, Solutions]:
    """As `fit_multilabel_head`, on inputs made by `prepare_inputs`.

    Args:
        start: Of an earlier call with the same classes: the faster, the less has changed since. Of use from as many
            images as channels on.

    Returns:
        The head, and the solutions to start from; none with fewer images than channels.
    """
    inputs = samples.inputs
    span = Span(inputs) if len(inputs) < inputs.shape[1] else None
    coordinates = inputs if span is None else span.coordinates
    weight = np.zeros((samples.targets.shape[1], coordinates.shape[1]), np.float32)
    bias = np.zeros(len(weight), np.float32)
    before, found = ({} if start is None or span is not None else start), {}
    for columns in _questions(group_of):
        question = tuple(columns.tolist())
        weight[columns], bias[columns], found[question] = _answer(
            coordinates, samples, columns, config, before.get(question), give_up
        )
    whole = weight if span is None else span.weights(weight)
    head = GroupedHead(LiveHead(whole, bias, scaler, config.unit_norm), group_of)
    return head, (found if span is None else {})


class Span:
    """The space that N vectors of more than N channels span, in which the best weights lie: fits there are as good.

    All fits of a head share it, and each then takes N instead of D numbers a vector.
    """

    def __init__(self, inputs: FloatArray) -> None:
        """`inputs`: (N, D)."""
        gram = (inputs @ inputs.T).astype(np.float64)
        # Two equal vectors would have no factor; so little moves no logit by more than the solver's tolerance.
        gram.flat[:: len(gram) + 1] += JITTER * max(float(np.trace(gram)) / len(gram), 1e-12)
        self._inputs = inputs
        self._factor = np.linalg.cholesky(gram)

    @property
    def coordinates(self) -> FloatArray:
        """(N, N), with the scalar products of the vectors."""
        return self._factor.astype(np.float32)

    def weights(self, found: FloatArray) -> FloatArray:
        """Weights (K, D) of those (K, N) for the coordinates."""
        shares = solve_triangular(self._factor, found.T.astype(np.float64), trans="T", lower=True)
        return np.asarray(shares.T.astype(np.float32) @ self._inputs, dtype=np.float32)


def _questions(group_of: GroupOf) -> Iterator[npt.NDArray[np.intp]]:
    """Columns that are told apart by one fit."""
    yield from members(group_of)
    for column in np.flatnonzero(group_of == ALONE):
        yield np.array([column])


def _answer(
    inputs: FloatArray,
    samples: Samples,
    columns: npt.NDArray[np.intp],
    config: LiveHeadConfig,
    start: Solution | None,
    give_up: Callable[[], bool],
) -> tuple[FloatArray, FloatArray, Solution]:
    """Weights (n, D) and biases (n,) of the classes in `columns`, against "none of them" at zero."""
    outcomes = _outcomes(samples.targets[:, columns])
    row, outcome = np.nonzero(outcomes)
    head, solution, _ = LiveHead.fit_prepared(
        inputs if np.array_equal(row, np.arange(len(inputs))) else inputs[row],
        outcome.astype(np.int64),
        (outcomes[row, outcome] * samples.weights[row]).astype(np.float32),
        len(columns) + 1,
        scaler=FeatureScaler.identity(inputs.shape[1]),
        config=config,
        start=start,
        give_up=give_up,
    )
    bias = head.bias.copy()
    # A class that nobody was asked about yet is not suggested either: it counts as one image without it.
    n_known = max(1, int(outcomes.any(axis=1).sum()))
    is_unseen = np.asarray(~outcomes.any(axis=0), dtype=np.bool_)
    is_unseen[0] &= not is_unseen.all()
    bias[is_unseen] = -np.log(n_known + 1.0)
    return head.weight[1:] - head.weight[0], bias[1:] - bias[0], solution


def _outcomes(targets: FloatArray) -> FloatArray:
    """(N, 1 + n), rows of sum 1: none of the classes, then each of them; rows of zeros where that is not known.

    A class that holds settles a question for all classes of its group. That some do not hold, and of others nobody was
    asked, leaves open which outcome it is.
    """
    is_open = np.asarray(np.isnan(targets).any(axis=1) & ~(targets > 0).any(axis=1), dtype=np.bool_)
    targets = np.where(is_open[:, None], 0.0, np.nan_to_num(targets))
    totals = targets.sum(axis=1, keepdims=True)
    none = np.where(is_open[:, None], 0.0, np.maximum(1.0 - totals, 0.0))
    return np.asarray(np.concatenate([none, targets / np.maximum(totals, 1.0)], axis=1), dtype=np.float32)
