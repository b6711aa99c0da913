"""Heads of multi-label classification: the module that a full run trains, and the live head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from db.queries.session_info import HeadKind
from ml_service.data_loaders.base import FloatArray, Samples
from ml_service.heads.base import make_linear, make_mlp
from ml_service.heads.exclusive_groups import ALONE, GroupedHead, GroupOf, members
from ml_service.heads.live import LiveHead, LiveHeadConfig, prepare_inputs
from ml_service.heads.question_curvature import FullCurvature, QuestionCurvature, question_curvature
from ml_service.heads.questions_fit import fit_questions
from ml_service.heads.questions_problem import Question
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.softmax_fit import Float64s

HIDDEN_WIDTH = 64
MAX_FOLLOWED = 16
"""Images that curvature follows at once."""
Subject = tuple[int, ...]
"""The classes that a question is about, by id."""


@dataclass(frozen=True)
class Answer:
    """What was found for one question."""

    outcomes: FloatArray
    """(1 + n, N): what it was found from; none of the classes, then each of them."""
    parameters: Float64s
    """(1 + n, D + 1), zero for an outcome that no image has."""

    @cached_property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(1 + n,), outcomes that an image has."""
        return np.asarray(self.outcomes.any(axis=1), dtype=np.bool_)

    @property
    def is_question(self) -> bool:
        """Whether there are two outcomes to tell apart."""
        return int(self.seen.sum()) > 1


@dataclass
class KnownCurvature:
    """The curvature of a question, as last computed and then kept in step with single images."""

    curvature: QuestionCurvature
    outcomes: FloatArray
    """(1 + n, N), what it knows of."""

    def matches(self, answer: Answer) -> bool:
        """Whether it is about the same outcomes."""
        return np.array_equal(self.outcomes.any(axis=1), answer.seen)


@dataclass(frozen=True)
class Before:
    """What is known of similar labels."""

    answers: Mapping[Subject, Answer] = field(default_factory=dict)
    curvatures: Mapping[Subject, KnownCurvature] = field(default_factory=dict)
    inputs_stay: bool = False
    """Whether rows of the inputs were added at most, so that a question whose answers stay has its solution."""


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
        give_up: See `fit_questions`.
    """
    inputs = prepare_inputs(samples.inputs, scaler, config)
    n_classes = samples.targets.shape[1]
    return fit_multilabel_prepared(
        inputs,
        samples.targets,
        range(n_classes),
        group_of,
        scaler=scaler,
        config=config,
        weights=samples.weights,
        give_up=give_up,
    )[0]


def fit_multilabel_prepared(
    inputs: FloatArray,
    targets: FloatArray,
    class_ids: Sequence[int],
    group_of: GroupOf,
    *,
    scaler: FeatureScaler,
    config: LiveHeadConfig,
    weights: FloatArray | None = None,
    before: Before | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> tuple[GroupedHead, dict[Subject, Answer]]:
    """As `fit_multilabel_head`, on inputs made by `prepare_inputs`.

    Args:
        targets: (N, K), as in `Samples`.
        class_ids: Those of the columns of `targets`.
        weights: (N,); None means all ones.
        before: Of an earlier call: the faster, the less has changed since.

    Returns:
        The head, and what was found for each question.
    """
    before = before or Before()
    columns_of = {tuple(class_ids[column] for column in columns): columns for columns in _questions(group_of)}
    found: dict[Subject, Answer] = {}
    asked: dict[Subject, Question] = {}
    for subject, columns in columns_of.items():
        outcomes = _outcomes(targets.T[columns])
        if weights is not None:
            outcomes *= weights
        last = before.answers.get(subject)
        if last is not None and before.inputs_stay and not len(_changed(last.outcomes, outcomes)):
            found[subject] = replace(last, outcomes=outcomes)
            continue
        found[subject] = Answer(outcomes, np.zeros((len(columns) + 1, inputs.shape[1] + 1)))
        if found[subject].is_question:
            asked[subject] = _question(inputs, found[subject], last, before.curvatures.get(subject), config)
    for subject, solution in zip(asked, fit_questions(inputs, list(asked.values()), give_up), strict=True):
        found[subject].parameters[found[subject].seen] = solution
    weight = np.zeros((len(class_ids), inputs.shape[1]), np.float32)
    bias = np.zeros(len(class_ids), np.float32)
    for subject, columns in columns_of.items():
        weight[columns], bias[columns] = _scores(found[subject])
    return GroupedHead(LiveHead(weight, bias, scaler, config.unit_norm), group_of), found


def shares_of(answer: Answer, config: LiveHeadConfig) -> FloatArray:
    """What each image counts for each outcome that one has: (m, N)."""
    return np.asarray(answer.outcomes[answer.seen] * _scales(answer, config)[:, None], dtype=np.float32)


def _scales(answer: Answer, config: LiveHeadConfig) -> Float64s:
    """What one image counts for each outcome that one has: (m,)."""
    totals = answer.outcomes[answer.seen].sum(axis=1, dtype=np.float64)
    factors = (totals.mean() / totals) ** config.balance
    return np.asarray(factors * (config.data_weight * totals.sum() / (totals @ factors)), dtype=np.float64)


def known_curvature(inputs: FloatArray, answer: Answer, config: LiveHeadConfig) -> KnownCurvature:
    """Of an answer to a question about images with `inputs` (N, D), N or more. Takes its time."""
    solution = answer.parameters[answer.seen]
    curvature = question_curvature(inputs[: answer.outcomes.shape[1]], shares_of(answer, config), solution)
    return KnownCurvature(curvature, answer.outcomes)


def _question(
    inputs: FloatArray, answer: Answer, last: Answer | None, known: KnownCurvature | None, config: LiveHeadConfig
) -> Question:
    shares = shares_of(answer, config)
    if last is None:
        return Question(shares)
    start = last.parameters[answer.seen]
    if known is None or not known.matches(answer):
        return Question(shares, start)
    if isinstance(known.curvature, FullCurvature):
        start = _follow(known, known.curvature, inputs, answer, last, _scales(answer, config))
    return Question(shares, start, known.curvature)


def _follow(
    known: KnownCurvature,
    curvature: FullCurvature,
    inputs: FloatArray,
    answer: Answer,
    last: Answer,
    scales: Float64s,
) -> Float64s:
    """Bring the curvature in step with the answers now; where these leave the solution of before, as far as known."""
    seen, start = answer.seen, last.parameters[answer.seen]
    new = _changed(known.outcomes, answer.outcomes)[-MAX_FOLLOWED:]
    is_moved = np.isin(new, _changed(last.outcomes, answer.outcomes))
    for row, moved in zip(new.tolist(), is_moved.tolist(), strict=True):
        now = answer.outcomes[seen, row] * scales
        before = known.outcomes[seen, row] * scales if row < known.outcomes.shape[1] else np.zeros_like(now)
        solution = curvature.exchange(inputs[row], before, now, start)
        start = solution if moved else start
    known.outcomes = answer.outcomes
    return start


def _changed(before: FloatArray, now: FloatArray) -> npt.NDArray[np.intp]:
    """Images of which the outcomes (m, N) are others than before; there may be more of them now."""
    padded = np.zeros_like(now)
    padded[:, : before.shape[1]] = before
    return np.flatnonzero((padded != now).any(axis=0))


def _questions(group_of: GroupOf) -> Iterator[npt.NDArray[np.intp]]:
    """Columns that are told apart by one fit."""
    yield from members(group_of)
    for column in np.flatnonzero(group_of == ALONE):
        yield np.array([column])


def _scores(answer: Answer) -> tuple[FloatArray, FloatArray]:
    """Weights (n, D) and biases (n,) of the classes, against "none of them" at zero."""
    single = answer.parameters.astype(np.float32)
    # A class that nobody was asked about yet is not suggested either: it counts as one image without it.
    n_known = max(1, int(answer.outcomes.any(axis=0).sum()))
    is_unseen = ~answer.seen
    is_unseen[0] &= not is_unseen.all()
    bias = single[:, -1]
    bias[is_unseen] = -np.log(n_known + 1.0)
    return single[1:, :-1] - single[0, :-1], bias[1:] - bias[0]


def _outcomes(targets: FloatArray) -> FloatArray:
    """(1 + n, N) of targets (n, N): none of the classes, then each of them; all zero for an image where that is not
    known, else of sum 1.

    A class that holds settles a question for all classes of its group. That some do not hold, and of others nobody was
    asked, leaves open which outcome it is.
    """
    is_open = np.isnan(targets).any(axis=0) & ~(targets > 0).any(axis=0)
    known = np.where(is_open, np.float32(0.0), np.nan_to_num(targets))
    totals = known.sum(axis=0)
    none = np.where(is_open, np.float32(0.0), np.maximum(1.0 - totals, 0.0))
    return np.concatenate([none[None], known / np.maximum(totals, 1.0)]).astype(np.float32)
