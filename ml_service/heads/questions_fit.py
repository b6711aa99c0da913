"""Several questions about the same points, each a softmax regression of its own, solved side by side. NumPy only.

What is minimised, and how exactly, is that of `softmax_fit`. Side by side, because one product of matrices then passes
over the points for all questions at once; every question has its own steps, and none waits for another to be accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml_service.heads.question_curvature import QuestionCurvature, question_curvature
from ml_service.heads.softmax_fit import (
    BLOCK_ROWS,
    FLAT,
    LONG_FROM_POINTS,
    LONG_MEMORY,
    NOISE,
    SHORT_MEMORY,
    TOLERANCE,
    FitAbandonedError,
    Float32s,
    Float64s,
    contrasts,
)

FIRST_STEPS = 100
"""After which curvature is computed for what is not at its minimum: with many points, float32 does not show by the
gradient alone that it is."""
LAST_STEPS = 500
MAX_ATTEMPTS = 20
"""Lengths of one step that are tried."""


@dataclass(frozen=True)
class Question:
    """What is known of the answers to it, and of where they lead."""

    shares: Float32s
    """(m, N): what each point counts for each of m > 1 outcomes. None is without."""
    start: Float64s | None = None
    """Solution (m, D + 1) of a similar question: weights and, last, the bias of each outcome."""
    curvature: QuestionCurvature | None = None
    """Of a similar question with as many outcomes."""


class _Alike:
    """Questions with equally many outcomes: G of m."""

    def __init__(self, indices: npt.NDArray[np.intp], shares: Float32s, first_row: int) -> None:
        """`shares`: (m, G, N)."""
        self.indices = indices
        self.n_outcomes = len(shares)
        self.basis = contrasts(self.n_outcomes)
        n_rows = (len(shares) - 1) * len(indices)
        self.rows = slice(first_row, first_row + n_rows)
        """Of the parameters: contrast by contrast, in each question by question."""
        self.owner = np.tile(self.indices, self.n_outcomes - 1)
        self.shares = shares
        self.totals = shares.sum(axis=0)
        """(G, N)"""

    def only(self, is_open: npt.NDArray[np.bool_], first_row: int) -> _Alike:
        """Those that are open, by question, with rows from `first_row` on."""
        kept = is_open[self.indices]
        if kept.all() and first_row == self.rows.start:
            return self
        return _Alike(self.indices[kept], self.shares[:, kept], first_row)

    def losses_and_errors(self, contrast: Float32s, points: slice) -> tuple[Float64s, Float32s]:
        """Of n points: losses (G,) and their derivatives ((m - 1) G, n) by the contrasts, shaped the same."""
        n_questions, n_points = len(self.indices), contrast.shape[1]
        shares, totals = self.shares[:, :, points], self.totals[:, points]
        flat = contrast.reshape(self.n_outcomes - 1, -1)
        p = (self.basis @ flat).reshape(self.n_outcomes, n_questions, n_points)
        p -= p.max(axis=0)
        hit = np.einsum("mgn,mgn->g", p, shares, dtype=np.float64)
        np.exp(p, out=p)
        sums = p.sum(axis=0)
        losses = np.einsum("gn,gn->g", totals, np.log(sums), dtype=np.float64) - hit
        p *= totals / sums
        p -= shares
        error = self.basis.T @ p.reshape(self.n_outcomes, -1)
        return losses, np.asarray(error.reshape(-1, n_points), dtype=np.float32)


class _Questions:
    """Q questions about N points, as R rows of parameters in all."""

    def __init__(self, inputs: Float32s, questions: Sequence[Question]) -> None:
        self.inputs = inputs
        self.n_questions = len(questions)
        self.alike: list[_Alike] = []
        sizes = [len(question.shares) for question in questions]
        n_rows = 0
        for size in sorted(set(sizes)):
            indices = [index for index, other in enumerate(sizes) if other == size]
            shares = np.stack([questions[index].shares for index in indices], axis=1)
            self.alike.append(_Alike(np.array(indices, dtype=np.intp), shares, n_rows))
            n_rows = self.alike[-1].rows.stop
        self.owner = np.concatenate([alike.owner for alike in self.alike])
        """(R,), the question of each row."""
        self.curvatures = {
            index: question.curvature for index, question in enumerate(questions) if question.curvature is not None
        }
        self.has_curvature = np.isin(np.arange(self.n_questions), list(self.curvatures))
        self._open = (np.ones(self.n_questions, dtype=np.bool_), self.alike)

    def start(self, questions: Sequence[Question]) -> Float64s:
        parameters = np.zeros((len(self.owner), self.inputs.shape[1] + 1))
        for alike in self.alike:
            for index in alike.indices.tolist():
                full = questions[index].start
                if full is not None:
                    parameters[self.owner == index] = alike.basis.T.astype(np.float64) @ full
        return parameters

    def solutions(self, parameters: Float64s) -> list[Float64s]:
        found: dict[int, Float64s] = {}
        for alike in self.alike:
            for index in alike.indices.tolist():
                full = alike.basis.astype(np.float64) @ parameters[self.owner == index]
                full[:, -1] -= full[:, -1].mean()
                found[index] = full
        return [found[index] for index in range(self.n_questions)]

    def losses_and_gradient(self, parameters: Float64s, is_open: npt.NDArray[np.bool_]) -> tuple[Float64s, Float64s]:
        """Losses (Q,) and the gradient of their sum, of parameters (R, D + 1); of open questions alone."""
        rows = is_open[self.owner]
        single = parameters[rows].astype(np.float32)
        weight, bias = single[:, :-1].T, single[:, -1:]
        losses = 0.5 * self.dots(parameters[:, :-1], parameters[:, :-1])
        gradient = parameters[rows]
        gradient[:, -1] = 0.0
        for first in range(0, len(self.inputs), BLOCK_ROWS):
            points = slice(first, min(first + BLOCK_ROWS, len(self.inputs)))
            inputs = self.inputs[points]
            contrast = np.ascontiguousarray((inputs @ weight).T)
            contrast += bias
            errors = np.empty_like(contrast)
            for alike in self._of_open(is_open):
                part, errors[alike.rows] = alike.losses_and_errors(contrast[alike.rows], points)
                losses[alike.indices] += part
            gradient[:, :-1] += errors @ inputs
            gradient[:, -1] += errors.sum(axis=1, dtype=np.float64)
        whole = np.zeros_like(parameters)
        whole[rows] = gradient
        return losses, whole

    def _of_open(self, is_open: npt.NDArray[np.bool_]) -> list[_Alike]:
        if not np.array_equal(is_open, self._open[0]):
            kept: list[_Alike] = []
            for alike in self.alike:
                if is_open[alike.indices].any():
                    kept.append(alike.only(is_open, kept[-1].rows.stop if kept else 0))
            self._open = (is_open.copy(), kept)
        return self._open[1]

    def dots(self, first: Float64s, second: Float64s) -> Float64s:
        """Scalar products (Q,)."""
        rows = np.einsum("rd,rd->r", first, second)
        return np.asarray(np.bincount(self.owner, rows, self.n_questions), dtype=np.float64)

    def solve(self, gradient: Float64s, scale: Float64s) -> Float64s:
        """The gradient times what is known of the inverse second derivative: the curvature, else a factor (Q,)."""
        vector = gradient * scale[self.owner, None]
        for index, curvature in self.curvatures.items():
            rows = self.owner == index
            vector[rows] = curvature.solve(gradient[rows])
        return vector


@dataclass(frozen=True)
class _Pair:
    """A step and by how much it changed the gradient; a question without a step has an endless rate."""

    step: Float64s
    change: Float64s
    rate: Float64s
    """(Q,)"""


def fit_questions(
    inputs: Float32s, questions: Sequence[Question], give_up: Callable[[], bool] = lambda: False
) -> list[Float64s]:
    """The solution (m, D + 1) of each question: rows of sum zero.

    Args:
        inputs: (N, D)
        give_up: Asked before each step.

    Raises:
        FitAbandonedError: `give_up` said so.
    """
    if not questions:
        return []
    problem = _Questions(inputs, questions)
    has_all = bool(problem.has_curvature.all())
    parameters, is_open = _minimise(problem, problem.start(questions), LAST_STEPS if has_all else FIRST_STEPS, give_up)
    found = problem.solutions(parameters)
    left = np.flatnonzero(is_open).tolist()
    if has_all or not left:
        return found
    again = []
    for index in left:
        if give_up():
            raise FitAbandonedError
        shares = questions[index].shares
        again.append(Question(shares, found[index], question_curvature(inputs, shares, found[index])))
    for index, solution in zip(left, fit_questions(inputs, again, give_up), strict=True):
        found[index] = solution
    return found


def _minimise(
    problem: _Questions, parameters: Float64s, n_steps: int, give_up: Callable[[], bool]
) -> tuple[Float64s, npt.NDArray[np.bool_]]:
    """Parameters (R, D + 1) after so many steps at most, and the questions (Q,) that are not at their minimum then."""
    pairs: deque[_Pair] = deque(maxlen=LONG_MEMORY if len(problem.inputs) >= LONG_FROM_POINTS else SHORT_MEMORY)
    n_questions, owner = problem.n_questions, problem.owner
    direction, slope = np.zeros_like(parameters), np.zeros(n_questions)
    length, attempts = np.ones(n_questions), np.zeros(n_questions, np.intp)
    is_new = np.ones(n_questions, dtype=np.bool_)
    is_open = is_new.copy()
    losses, gradient = problem.losses_and_gradient(parameters, is_open)
    for _ in range(n_steps):
        if give_up():
            raise FitAbandonedError
        # A question whose step was too long keeps its direction.
        direction = np.where(is_new[owner, None], -_times_inverse(problem, gradient, pairs), direction)
        slope = np.where(is_new, problem.dots(gradient, direction), slope)
        # The second derivative is at least 1: this bounds the distance to the minimum, as far as curvature is right.
        is_open &= np.sqrt(problem.dots(gradient, gradient)) > FLAT
        is_open &= ~(problem.has_curvature & (-slope <= TOLERANCE**2))
        # Nothing better in reach of float32.
        is_open &= attempts < MAX_ATTEMPTS
        if not is_open.any():
            break
        moves = np.where(is_open, length, 0.0)
        ahead = parameters + moves[owner, None] * direction
        losses_ahead, gradient_ahead = problem.losses_and_gradient(ahead, is_open)
        slope_ahead = problem.dots(gradient_ahead, direction)
        is_new = is_open & _is_better(losses, losses_ahead, slope, slope_ahead, moves)
        taken = is_new[owner, None]
        step = np.where(taken, ahead - parameters, 0.0)
        change = np.where(taken, gradient_ahead - gradient, 0.0)
        rate = problem.dots(step, change)
        rate[rate <= 1e-10 * problem.dots(change, change)] = np.inf
        pairs.append(_Pair(step, change, rate))
        parameters = np.where(taken, ahead, parameters)
        gradient = np.where(taken, gradient_ahead, gradient)
        losses = np.where(is_new, losses_ahead, losses)
        steepening = np.divide(slope, slope - slope_ahead, out=np.full(n_questions, 0.5), where=slope_ahead > slope)
        length = np.where(is_new, 1.0, length * np.clip(steepening, 0.1, 0.5))
        attempts = np.where(is_new, 0, attempts + 1)
    return parameters, is_open


def _is_better(
    losses: Float64s, losses_ahead: Float64s, slope: Float64s, slope_ahead: Float64s, length: Float64s
) -> npt.NDArray[np.bool_]:
    """Enough decrease; or, where losses differ by mere noise, a slope that has flattened (Hager and Zhang 2005)."""
    is_less = losses_ahead <= losses + 1e-4 * length * slope
    is_flatter = (losses_ahead <= losses + NOISE * np.abs(losses)) & (slope_ahead <= -0.8 * slope)
    return np.asarray(is_less | is_flatter, dtype=np.bool_)


def _times_inverse(problem: _Questions, gradient: Float64s, pairs: deque[_Pair]) -> Float64s:
    """Gradient times the inverse second derivative as the pairs tell it (two loops of Nocedal 1980)."""
    owner = problem.owner
    vector = gradient.copy()
    shares = []
    scale = np.minimum(1.0, 1.0 / np.maximum(np.sqrt(problem.dots(gradient, gradient)), 1e-30))
    for pair in pairs:
        steepness = problem.dots(pair.change, pair.change)
        known = np.isfinite(pair.rate)
        scale[known] = pair.rate[known] / steepness[known]
    for pair in reversed(pairs):
        share = problem.dots(pair.step, vector) / pair.rate
        shares.append(share)
        vector -= share[owner, None] * pair.change
    vector = problem.solve(vector, scale)
    for pair, share in zip(pairs, reversed(shares), strict=True):
        vector += pair.step * (share - problem.dots(pair.change, vector) / pair.rate)[owner, None]
    return vector
