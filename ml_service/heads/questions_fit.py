"""Several questions about the same points, each a softmax regression of its own, solved side by side. NumPy only.

What is minimised, and how exactly, is that of `softmax_fit`. Side by side, because one product of matrices then passes
over the points for all questions at once; every question has its own steps, and none waits for another to be accepted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml_service.heads.question_curvature import QuestionCurvature, question_curvature
from ml_service.heads.questions_problem import Question, Questions
from ml_service.heads.softmax_fit import (
    FLAT,
    LONG_FROM_POINTS,
    LONG_MEMORY,
    NOISE,
    SHORT_MEMORY,
    TOLERANCE,
    FitAbandonedError,
    Float32s,
    Float64s,
)

logger = logging.getLogger(__name__)

FIRST_STEPS = 100
"""After which curvature is computed, anew, for what is not at its minimum: with many points, float32 does not show by
the gradient alone that it is."""
LAST_STEPS = 500
MAX_ATTEMPTS = 20
"""Lengths of one step that are tried."""


@dataclass(frozen=True)
class _Pair:
    """A step and by how much it changed the gradient; a question without a step has an endless rate."""

    step: Float64s
    change: Float64s
    rate: Float64s
    """(Q,)"""

    def without(self, which: npt.NDArray[np.bool_], owner: npt.NDArray[np.intp]) -> _Pair:
        """As if some questions (Q,) had taken no step; `owner` (R,) is the question of each row."""
        rows = which[owner, None]
        rate = np.where(which, np.inf, self.rate)
        return _Pair(np.where(rows, 0.0, self.step), np.where(rows, 0.0, self.change), rate)


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
    problem = Questions(inputs, questions)
    parameters, is_left = _minimise(problem, problem.start(questions), FIRST_STEPS, give_up)
    found = problem.solutions(parameters)
    left = np.flatnonzero(is_left).tolist()
    if not left:
        return found
    again = []
    for index in left:
        if give_up():
            raise FitAbandonedError
        shares = questions[index].shares
        again.append(Question(shares, found[index], _curvature_or_none(inputs, shares, found[index])))
    problem = Questions(inputs, again)
    parameters, _ = _minimise(problem, problem.start(again), LAST_STEPS, give_up)
    for index, solution in zip(left, problem.solutions(parameters), strict=True):
        found[index] = solution
    return found


def _curvature_or_none(inputs: Float32s, shares: Float32s, solution: Float64s) -> QuestionCurvature | None:
    try:
        return question_curvature(inputs, shares, solution)
    except np.linalg.LinAlgError as error:
        logger.warning("a fit goes on without curvature: %s", error)
        return None


def _minimise(
    problem: Questions, parameters: Float64s, n_steps: int, give_up: Callable[[], bool]
) -> tuple[Float64s, npt.NDArray[np.bool_]]:
    """Parameters (R, D + 1) after so many steps at most, and the questions (Q,) that are not at their minimum then, or
    are as near as float32 gets with what is known of their curvature."""
    pairs: deque[_Pair] = deque(maxlen=LONG_MEMORY if len(problem.inputs) >= LONG_FROM_POINTS else SHORT_MEMORY)
    n_questions, owner = problem.n_questions, problem.owner
    direction, slope = np.zeros_like(parameters), np.zeros(n_questions)
    length, attempts = np.ones(n_questions), np.zeros(n_questions, np.intp)
    is_new = np.ones(n_questions, dtype=np.bool_)
    is_open, is_stuck = is_new.copy(), ~is_new
    losses, gradient = problem.losses_and_gradient(parameters, is_open)
    for _ in range(n_steps):
        if give_up():
            raise FitAbandonedError
        # A question whose step was too long keeps its direction.
        direction = np.where(is_new[owner, None], -_times_inverse(problem, gradient, pairs), direction)
        slope = np.where(is_new, problem.dots(gradient, direction), slope)
        # The second derivative is at least 1: this bounds the distance to the minimum, as far as curvature is right.
        is_open &= np.sqrt(problem.dots(gradient, gradient)) > FLAT
        is_uphill = is_open & is_new & (slope > 0)
        if is_uphill.any():
            pairs = deque((pair.without(is_uphill, owner) for pair in pairs), maxlen=pairs.maxlen)
            problem.forget_curvature(is_uphill)
            direction = np.where(is_uphill[owner, None], -_times_inverse(problem, gradient, pairs), direction)
            slope = np.where(is_uphill, problem.dots(gradient, direction), slope)
        is_open &= ~(problem.has_curvature & (-slope <= TOLERANCE**2))
        # Nothing better in reach of float32, this way.
        is_stuck |= is_open & (attempts >= MAX_ATTEMPTS)
        is_open &= ~is_stuck
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
    return parameters, is_open | is_stuck


def _is_better(
    losses: Float64s, losses_ahead: Float64s, slope: Float64s, slope_ahead: Float64s, length: Float64s
) -> npt.NDArray[np.bool_]:
    """Enough decrease; or, where losses differ by mere noise, a slope that has flattened (Hager and Zhang 2005)."""
    is_less = losses_ahead <= losses + 1e-4 * length * slope
    is_flatter = (losses_ahead <= losses + NOISE * np.abs(losses)) & (slope_ahead <= -0.8 * slope)
    return np.asarray(is_less | is_flatter, dtype=np.bool_)


def _times_inverse(problem: Questions, gradient: Float64s, pairs: deque[_Pair]) -> Float64s:
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
