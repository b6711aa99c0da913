"""Weighted, regularised softmax regression: the convex problem behind the live head.

Minimised is the weighted log loss + half the squared norm of the weights (and of the biases, where they cost
something), by L-BFGS. The passes over the points are in float32, block by block so that a block stays in the
processor's cache; sums over blocks, weights and steps are in float64. A fit may start at the solution of a similar
problem, and may use its curvature: with both, one more point takes a few passes. Where a fit starts does not show in
logits beyond `TOLERANCE`, as the minimum is unique.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ml_service.heads.products import errors_times_rows, rows_times_weights
from ml_service.heads.step_memory import StepMemory

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]

TOLERANCE = 4e-5
"""Distance from the minimum at which a fit ends. No logit of an input of norm 1 is further off than this."""
FLAT = 5e-5
"""Norm of the gradient at which a fit without curvature ends: the distance from the minimum is at most that."""
MAX_ITERATIONS = 500
MEMORY = ((3000, 120), (300, 60), (0, 20))
"""(points, steps): from so many points on so many steps are remembered, those of earlier fits included."""
SHORT_MEMORY, LONG_MEMORY, LONG_FROM_POINTS = 10, 30, 1000
"""The same where several questions are solved side by side: fewer than that many points, or as many."""
BLOCK_ROWS = 1024
"""1024 points of 384 channels take 1.5 MB."""
NOISE = 1e-6
"""What float32 leaves unclear of a loss, relative to it."""


class FitAbandonedError(Exception):
    """`give_up` said so."""


@dataclass(frozen=True)
class Solution:
    """The minimum of one problem with K classes."""

    weight: Float64s
    """(K, D); the sum over classes is zero."""
    bias: Float64s
    """(K,); of mean zero."""
    passes: int = 0
    """Passes over the points that it took."""
    memory: StepMemory = field(default_factory=StepMemory, repr=False)
    """What the last steps told of the curvature."""


@dataclass(frozen=True)
class Problem:
    """N points to explain. A point of weight zero counts for nothing."""

    inputs: Float32s
    """(N, D)"""
    targets: Float32s
    """(N, K), each row of sum 1."""
    weights: Float32s
    """(N,), not negative."""
    bias_penalty: float = 0.0
    """What half the squared norm of the biases costs, against 1 for that of the weights."""
    basis: Float32s = field(init=False, repr=False)
    """(K, K - 1), orthonormal: spans the directions in which classes differ. The others no probability sees."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "basis", contrasts(self.targets.shape[1]))

    def blocks(self) -> Iterator[slice]:
        """Partition of the points."""
        starts = range(0, len(self.inputs), BLOCK_ROWS)
        return (slice(start, min(start + BLOCK_ROWS, len(self.inputs))) for start in starts)

    def logits(self, rows: slice, parameters: Float32s) -> Float32s:
        """Logits (K, n), shifted so that the largest of each point is zero, for parameters (K - 1, D + 1)."""
        contrast = rows_times_weights(self.inputs[rows], parameters[:, :-1])
        contrast += parameters[:, -1]
        logits = np.asarray(self.basis @ contrast.T, dtype=np.float32)
        logits -= logits.max(axis=0)
        return logits

    def loss_and_gradient(self, parameters: Float64s) -> tuple[float, Float64s]:
        """Of parameters (K - 1, D + 1): weights and, last, the bias of each contrast."""
        single = parameters.astype(np.float32)
        gradient = parameters.copy()
        gradient[:, -1] *= self.bias_penalty
        loss = 0.5 * float(np.vdot(parameters, gradient))
        for rows in self.blocks():
            p = self.logits(rows, single)
            targets, weights = self.targets[rows].T, self.weights[rows]
            hit = np.einsum("kn,kn->n", p, targets)
            np.exp(p, out=p)
            totals = p.sum(axis=0)
            loss += float(np.dot(weights.astype(np.float64), np.log(totals) - hit))
            p /= totals
            p -= targets
            p *= weights
            error = self.basis.T @ p
            gradient[:, :-1] += errors_times_rows(error, self.inputs[rows])
            gradient[:, -1] += error.sum(axis=1, dtype=np.float64)
        return loss, gradient


class Curvature:
    """The inverse of the second derivative at a solution, in a simplified form: what makes steps go straight.

    The second derivative is taken for a Kronecker product of one matrix over classes and one over channels. With two
    classes that is exact.
    """

    def __init__(self, problem: Problem, solution: Solution) -> None:
        """Takes some ten milliseconds for 384 channels, and grows with their cube: for idle time."""
        parameters = _parameters(problem, solution)
        n_classes, dim = solution.weight.shape
        # Biases in a unit in which they cost as much as weights; those without a cost are taken for as dear.
        bias_unit = np.float32(1 / math.sqrt(problem.bias_penalty or 1.0))
        between = np.zeros((n_classes - 1, n_classes - 1))
        moments = np.zeros((dim + 1, dim + 1), dtype=np.float32)
        total = 0.0
        for rows in problem.blocks():
            p = problem.logits(rows, parameters.astype(np.float32))
            np.exp(p, out=p)
            p /= p.sum(axis=0)
            weights = problem.weights[rows]
            contrast = problem.basis.T @ p
            between += (problem.basis.T * (p @ weights)) @ problem.basis - (contrast * weights) @ contrast.T
            spread = weights * (1.0 - np.square(p).sum(axis=0))
            total += float(spread.sum())
            scaled = np.column_stack([problem.inputs[rows], np.full(len(weights), bias_unit)])
            scaled *= np.sqrt(np.maximum(spread, 0.0))[:, None]
            moments += scaled.T @ scaled
        values, self._channels = np.linalg.eigh(moments)
        self._channels[-1] *= bias_unit
        strengths, self._classes = np.linalg.eigh(between / max(total, 1e-12))
        self._inverse = 1.0 / (np.maximum(strengths, 1e-4)[:, None] * np.maximum(values, 0.0) + 1.0)

    def matches(self, problem: Problem) -> bool:
        """Whether it belongs to a problem with as many classes and channels."""
        wanted = (problem.targets.shape[1] - 1, problem.inputs.shape[1] + 1)
        return bool(self._inverse.shape == wanted)

    def solve(self, gradient: Float64s) -> Float64s:
        """The step (K - 1, D + 1) to the minimum, as far as it is known, with the opposite sign."""
        turned = errors_times_rows((self._classes.T @ gradient).astype(np.float32), self._channels)
        back = rows_times_weights((turned * self._inverse).astype(np.float32), self._channels)
        return np.asarray(self._classes @ back, dtype=np.float64)


def fit_softmax(
    problem: Problem,
    *,
    start: Solution | None = None,
    curvature: Curvature | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> Solution:
    """The weights (K, D) and biases (K,) that explain the points best.

    The mean of the biases is free in the loss; fixing it at zero, which no probability sees, keeps the largest logit of
    every input at zero or above, so a class of constant negative logit never wins.

    Args:
        start: Solution of a similar problem with the same classes; zero without.
        curvature: Of a similar problem; one of another shape is left aside.
        give_up: Asked before each step.

    Raises:
        FitAbandonedError: `give_up` said so.
    """
    n_classes, dim = problem.targets.shape[1], problem.inputs.shape[1]
    parameters = np.zeros((n_classes - 1, dim + 1)) if start is None else _parameters(problem, start)
    if curvature is not None and not curvature.matches(problem):
        curvature = None
    known = start.memory if start is not None and start.memory.fits(parameters.size) else StepMemory()
    parameters, passes, memory = _minimise(problem, parameters, known, curvature, give_up)
    full = problem.basis.astype(np.float64) @ parameters
    return Solution(full[:, :-1], full[:, -1] - full[:, -1].mean(), passes, memory)


def balanced(weights: Float32s, targets: Float32s, balance: float) -> Float32s:
    """Point weights (N,) moved towards equal totals per class; the grand total stays.

    Args:
        targets: (N, K), each class with some weight.
        balance: 0 leaves them, 1 makes the totals equal.
    """
    totals = weights.astype(np.float64) @ targets
    factors = np.divide(totals.mean(), totals, out=np.zeros_like(totals), where=totals > 0) ** balance
    moved = weights * (targets @ factors.astype(np.float32))
    return np.asarray(moved * (weights.sum(dtype=np.float64) / moved.sum(dtype=np.float64)), dtype=np.float32)


def content_order(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Permutation that sorts rows (N, M) by their bytes: floating-point sums then do not depend on the order given."""
    contents = [row.tobytes() for row in rows]
    return np.array(sorted(range(len(rows)), key=contents.__getitem__), dtype=np.intp)


def contrasts(n_classes: int) -> Float32s:
    """Orthonormal columns (K, K - 1), each of sum zero: Helmert's."""
    columns = np.zeros((n_classes, n_classes - 1))
    for j in range(n_classes - 1):
        columns[: j + 1, j] = 1.0
        columns[j + 1, j] = -(j + 1)
    return np.asarray(columns / np.linalg.norm(columns, axis=0), dtype=np.float32)


def _parameters(problem: Problem, solution: Solution) -> Float64s:
    full = np.column_stack([solution.weight, solution.bias])
    return np.asarray(problem.basis.T.astype(np.float64) @ full, dtype=np.float64)


def _minimise(
    problem: Problem,
    parameters: Float64s,
    memory: StepMemory,
    curvature: Curvature | None,
    give_up: Callable[[], bool],
) -> tuple[Float64s, int, StepMemory]:
    limit = _memory_length(len(problem.inputs))
    loss, gradient = problem.loss_and_gradient(parameters)
    passes = 1
    distances: list[float] = []
    for _ in range(MAX_ITERATIONS):
        if give_up():
            raise FitAbandonedError
        if float(np.linalg.norm(gradient)) <= FLAT:
            break
        direction = -_times_inverse(gradient, memory, curvature)
        slope = float(np.vdot(gradient, direction))
        if slope > 0:  # Steps too much alike, to float32: without them it is downhill.
            memory = StepMemory()
            direction = -_times_inverse(gradient, memory, curvature)
            slope = float(np.vdot(gradient, direction))
        if curvature is not None:
            # The second derivative is at least 1: this bounds the distance to the minimum, where curvature is right.
            distances.append(math.sqrt(max(0.0, -slope)))
            if distances[-1] <= TOLERANCE:
                break
            if distances[-1] * _expected_shrinking(distances) <= TOLERANCE:
                parameters = parameters + direction
                break
        length = 1.0
        for _attempt in range(20):
            ahead = parameters + length * direction
            loss_ahead, gradient_ahead = problem.loss_and_gradient(ahead)
            passes += 1
            slope_ahead = float(np.vdot(gradient_ahead, direction))
            if _is_better(loss, loss_ahead, slope, slope_ahead, length):
                break
            steepening = slope / (slope - slope_ahead) if slope_ahead > slope else 0.5
            length *= max(0.1, min(0.5, steepening))
        else:
            break  # Nothing better in reach of float32.
        step, change = ahead - parameters, gradient_ahead - gradient
        rate = float(np.vdot(step, change))
        if rate > 1e-10 * float(np.vdot(change, change)):
            memory = memory.extended(step, change, limit)
        parameters, loss, gradient = ahead, loss_ahead, gradient_ahead
    return parameters, passes, memory


def _expected_shrinking(distances: Sequence[float]) -> float:
    """By how much the next step brings the minimum closer: half as well as the worst so far."""
    if len(distances) < 2:
        return 1.0
    return min(1.0, 2 * max(after / before for before, after in itertools.pairwise(distances)))


def _memory_length(n_points: int) -> int:
    """Steps worth remembering: a pass over many points costs more than many remembered steps."""
    return next(length for least, length in MEMORY if n_points >= least)


def _is_better(loss: float, loss_ahead: float, slope: float, slope_ahead: float, length: float) -> bool:
    """Enough decrease; or, where losses differ by mere noise, a slope that has flattened (Hager and Zhang 2005)."""
    if loss_ahead <= loss + 1e-4 * length * slope:
        return True
    return loss_ahead <= loss + NOISE * abs(loss) and slope_ahead <= -0.8 * slope


def _times_inverse(gradient: Float64s, memory: StepMemory, curvature: Curvature | None) -> Float64s:
    """Gradient times the inverse second derivative as steps and curvature tell it."""
    if curvature is not None:
        return memory.times_inverse(gradient, curvature.solve)
    if len(memory):
        rate, squared = memory.last_rate()
        return memory.times_inverse(gradient, lambda vector: vector * (rate / squared))
    return gradient * min(1.0, 1.0 / float(np.linalg.norm(gradient)))
