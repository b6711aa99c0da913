"""Weighted, regularised softmax regression: the convex problem behind the live head. NumPy only.

Minimised is the weighted log loss + half the squared norm of the weights, by L-BFGS. The passes over the points are in
float32, block by block so that a block stays in the processor's cache; sums over blocks, weights and steps are in
float64. A fit may start at the solution of a similar problem, and may use its curvature: with both, one more point
takes a few passes. Where a fit starts does not show in logits beyond `TOLERANCE`, as the minimum is unique.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]

TOLERANCE = 4e-5
"""Distance from the minimum at which a fit ends. No logit of an input of norm 1 is further off than this."""
FLAT = 5e-5
"""Norm of the gradient at which a fit without curvature ends: the distance from the minimum is at most that."""
MAX_ITERATIONS = 500
SHORT_MEMORY, LONG_MEMORY = 10, 30
"""Steps that L-BFGS remembers, those of earlier fits included: as problems change little, they go on being of use."""
LONG_FROM_POINTS = 1000
"""With fewer points, a pass over them is cheaper than many remembered steps."""
BLOCK_ROWS = 1024
"""1024 points of 384 channels take 1.5 MB."""
NOISE = 1e-6
"""What float32 leaves unclear of a loss, relative to it."""


class FitAbandonedError(Exception):
    """`give_up` said so."""


@dataclass(frozen=True)
class Pair:
    """A step and by how much it changed the gradient."""

    step: Float64s
    change: Float64s
    rate: float


@dataclass(frozen=True)
class Solution:
    """The minimum of one problem with K classes."""

    weight: Float64s
    """(K, D); the sum over classes is zero."""
    bias: Float64s
    """(K,); of mean zero."""
    passes: int = 0
    """Passes over the points that it took."""
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
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
        contrast = self.inputs[rows] @ parameters[:, :-1].T + parameters[:, -1]
        logits = np.asarray(self.basis @ contrast.T, dtype=np.float32)
        logits -= logits.max(axis=0)
        return logits

    def loss_and_gradient(self, parameters: Float64s) -> tuple[float, Float64s]:
        """Of parameters (K - 1, D + 1): weights and, last, the bias of each contrast."""
        single = parameters.astype(np.float32)
        loss = 0.5 * float(np.vdot(parameters[:, :-1], parameters[:, :-1]))
        gradient = parameters.copy()
        gradient[:, -1] = 0.0
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
            gradient[:, :-1] += error @ self.inputs[rows]
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
            scaled = np.column_stack([problem.inputs[rows], np.ones(len(weights), np.float32)])
            scaled *= np.sqrt(np.maximum(spread, 0.0))[:, None]
            moments += scaled.T @ scaled
        values, self._channels = np.linalg.eigh(moments)
        strengths, self._classes = np.linalg.eigh(between / max(total, 1e-12))
        self._inverse = 1.0 / (np.maximum(strengths, 1e-4)[:, None] * np.maximum(values, 0.0) + 1.0)

    def matches(self, problem: Problem) -> bool:
        """Whether it belongs to a problem with as many classes and channels."""
        wanted = (problem.targets.shape[1] - 1, problem.inputs.shape[1] + 1)
        return bool(self._inverse.shape == wanted)

    def solve(self, gradient: Float64s) -> Float64s:
        """The step (K - 1, D + 1) to the minimum, as far as it is known, with the opposite sign."""
        turned = (self._classes.T @ gradient).astype(np.float32) @ self._channels
        back = (turned * self._inverse).astype(np.float32) @ self._channels.T
        return np.asarray(self._classes @ back, dtype=np.float64)


def fit_softmax(
    problem: Problem,
    *,
    start: Solution | None = None,
    curvature: Curvature | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> Solution:
    """The weights (K, D) and biases (K,) that explain the points best.

    The biases are free in the loss; fixing their mean at zero, which no probability sees, keeps the largest logit of
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
    known = () if start is None else tuple(pair for pair in start.pairs if pair.step.shape == parameters.shape)
    parameters, passes, pairs = _minimise(problem, parameters, known, curvature, give_up)
    full = problem.basis.astype(np.float64) @ parameters
    return Solution(full[:, :-1], full[:, -1] - full[:, -1].mean(), passes, pairs)


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
    known: tuple[Pair, ...],
    curvature: Curvature | None,
    give_up: Callable[[], bool],
) -> tuple[Float64s, int, tuple[Pair, ...]]:
    memory = LONG_MEMORY if len(problem.inputs) >= LONG_FROM_POINTS else SHORT_MEMORY
    pairs = deque(known, maxlen=memory)
    loss, gradient = problem.loss_and_gradient(parameters)
    passes = 1
    for _ in range(MAX_ITERATIONS):
        if give_up():
            raise FitAbandonedError
        if float(np.linalg.norm(gradient)) <= FLAT:
            break
        direction = -_times_inverse(gradient, pairs, curvature)
        slope = float(np.vdot(gradient, direction))
        # The second derivative is at least 1: this bounds the distance to the minimum, as far as curvature is right.
        if curvature is not None and -slope <= TOLERANCE**2:
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
            pairs.append(Pair(step, change, rate))
        parameters, loss, gradient = ahead, loss_ahead, gradient_ahead
    return parameters, passes, tuple(pairs)


def _is_better(loss: float, loss_ahead: float, slope: float, slope_ahead: float, length: float) -> bool:
    """Enough decrease; or, where losses differ by mere noise, a slope that has flattened (Hager and Zhang 2005)."""
    if loss_ahead <= loss + 1e-4 * length * slope:
        return True
    return loss_ahead <= loss + NOISE * abs(loss) and slope_ahead <= -0.8 * slope


def _times_inverse(gradient: Float64s, pairs: deque[Pair], curvature: Curvature | None) -> Float64s:
    """Gradient times the inverse second derivative as the pairs tell it (two loops of Nocedal 1980)."""
    vector = gradient.copy()
    shares = []
    for pair in reversed(pairs):
        share = float(np.vdot(pair.step, vector)) / pair.rate
        shares.append(share)
        vector -= share * pair.change
    if curvature is not None:
        vector = curvature.solve(vector)
    elif pairs:
        vector *= pairs[-1].rate / float(np.vdot(pairs[-1].change, pairs[-1].change))
    else:
        vector *= min(1.0, 1.0 / float(np.linalg.norm(vector)))
    for pair, share in zip(pairs, reversed(shares), strict=True):
        vector += pair.step * (share - float(np.vdot(pair.change, vector)) / pair.rate)
    return vector
