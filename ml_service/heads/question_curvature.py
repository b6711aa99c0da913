"""The inverse of the second derivative of one question at an earlier solution: with it, steps go straight."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg import lapack
from scipy.special import softmax

from ml_service.heads.softmax_fit import BLOCK_ROWS, Curvature, Float32s, Float64s, Problem, Solution, contrasts

EXACT_TO = 1600
"""Parameters, in the space of differences between outcomes, up to which the second derivative is taken in full: its
inverse then takes 10 MB."""
MAX_KEPT = 128
"""Points that are taken in one by one."""
LEAST_LEFT = 0.05
"""Share of the curvature along a point that has to stay when the point is taken out."""


class QuestionCurvature(Protocol):
    """Of a question with m outcomes about points of D channels."""

    def solve(self, gradient: Float64s) -> Float64s:
        """The step (m - 1, D + 1) to the minimum, as far as it is known, with the opposite sign."""
        ...


class FullCurvature:
    """The second derivative as it is."""

    def __init__(self, inputs: Float32s, shares: Float32s, solution: Float64s) -> None:
        """Arguments as those of `question_curvature`."""
        basis = contrasts(len(shares))
        n_contrasts, width = len(shares) - 1, inputs.shape[1] + 1
        whole = np.zeros((n_contrasts, width, n_contrasts, width), np.float32)
        for first in range(0, len(inputs), BLOCK_ROWS):
            points = slice(first, first + BLOCK_ROWS)
            rows = np.column_stack([inputs[points], np.ones(len(inputs[points]), np.float32)])
            p = softmax(rows @ solution.T, axis=1).astype(np.float32)
            totals, mean = shares[:, points].sum(axis=0), p @ basis
            for a in range(n_contrasts):
                for b in range(a + 1):
                    spread = totals * (p @ (basis[:, a] * basis[:, b]) - mean[:, a] * mean[:, b])
                    if a == b:
                        # One matrix times itself takes half of the time.
                        scaled = rows * np.sqrt(np.maximum(spread, 0.0))[:, None]
                        whole[a, :, a, :] += scaled.T @ scaled
                    else:
                        whole[a, :, b, :] += (rows * spread[:, None]).T @ rows
        square = whole.reshape(n_contrasts * width, -1)
        square.flat[:: len(square) + 1] += 1.0
        self._inverse = _inverse(square)
        self._basis = basis.astype(np.float64)
        self._moves = np.empty((0, n_contrasts, len(square)), np.float32)
        self._middles = np.empty((0, n_contrasts, n_contrasts))
        self._n_kept = 0

    def solve(self, gradient: Float64s) -> Float64s:
        """See QuestionCurvature."""
        return self._solve(gradient.reshape(1, -1)).reshape(gradient.shape)

    def exchange(self, point: Float32s, before: Float32s, now: Float32s, solution: Float64s) -> Float64s:
        """Take note of one point that counts for other outcomes than before, so that steps stay straight.

        The point takes the rest of the problem for a quadratic one, which it bends at its own place alone.

        Args:
            point: (D,)
            before: (m,), what the point counted for each outcome; zeros for a new one.
            now: (m,), what it counts; zeros for one that was taken out.
            solution: (m, D + 1), with the point as before.

        Returns:
            The solution (m, D + 1) with the point as now, as far as it is known.
        """
        place = np.append(point, 1.0).astype(np.float64)
        for shares, sign in ((before, -1.0), (now, 1.0)):
            if shares.any() and self._n_kept < MAX_KEPT:
                solution = solution + self._basis @ self._take(place, shares.astype(np.float64), sign, solution)
        return solution

    def _take(self, place: Float64s, shares: Float64s, sign: float, solution: Float64s) -> Float64s:
        """The step (m - 1, D + 1) that a point asks for when it comes (sign 1) or goes (-1)."""
        n_contrasts = self._basis.shape[1]
        # What moves the contrasts at this place, one after another.
        moves = self._solve_at(place)
        reach = moves.reshape(n_contrasts, n_contrasts, -1) @ place
        contrast = self._basis.T @ (solution @ place)
        if sign > 0:
            contrast = _settle(contrast, reach, shares, self._basis)
        pull, spread = _pull_and_spread(contrast, shares, self._basis)
        if np.linalg.eigvals(np.eye(n_contrasts) + sign * spread @ reach).real.min() < LEAST_LEFT:
            return np.zeros((n_contrasts, len(place)))
        middle: Float64s = np.linalg.solve(np.eye(n_contrasts) + sign * spread @ reach, sign * spread).astype(
            np.float64
        )
        self._keep(moves, middle)
        # A point that comes was followed to its place; one that goes lets go where it is.
        step = -pull @ moves if sign > 0 else pull @ (moves - (middle @ reach).T @ moves)
        return np.asarray(step.reshape(n_contrasts, -1), dtype=np.float64)

    def _keep(self, moves: Float64s, middle: Float64s) -> None:
        if not len(self._moves):
            self._moves = np.empty((MAX_KEPT, *moves.shape), np.float32)
            self._middles = np.empty((MAX_KEPT, *middle.shape))
        self._moves[self._n_kept], self._middles[self._n_kept] = moves, middle
        self._n_kept += 1

    def _solve_at(self, place: Float64s) -> Float64s:
        """As `_solve`, of gradients that are `place` (D + 1,) in one contrast each and zero in the others."""
        n_contrasts = self._basis.shape[1]
        blocks = self._inverse.reshape(n_contrasts, len(place), -1)
        gradients = np.asarray(np.kron(np.eye(n_contrasts), place), dtype=np.float64)
        return self._follow(gradients, place.astype(np.float32) @ blocks)

    def _solve(self, gradients: Float64s) -> Float64s:
        """Of gradients (n, (m - 1) (D + 1))."""
        return self._follow(gradients, gradients.astype(np.float32) @ self._inverse)

    def _follow(self, gradients: Float64s, found: Float32s) -> Float64s:
        """Steps, from those found without the points that were taken in one by one."""
        single, steps = gradients.astype(np.float32), found.astype(np.float64)
        if self._n_kept:
            moves = self._moves[: self._n_kept].reshape(-1, single.shape[1])
            along = (single @ moves.T).reshape(len(single), self._n_kept, -1)
            shares = np.einsum("kab,nkb->nka", self._middles[: self._n_kept], along)
            steps -= shares.reshape(len(single), -1).astype(np.float32) @ moves
        return steps


def _pull_and_spread(contrast: Float64s, shares: Float64s, basis: Float64s) -> tuple[Float64s, Float64s]:
    """First (m - 1,) and second derivatives (m - 1, m - 1) of a point's loss by its contrasts (m - 1,)."""
    logits = basis @ contrast
    p = np.exp(logits - logits.max())
    p /= p.sum()
    total, mean = shares.sum(), p @ basis
    return (total * p - shares) @ basis, total * ((basis.T * p) @ basis - np.outer(mean, mean))


def _settle(start: Float64s, reach: Float64s, shares: Float64s, basis: Float64s) -> Float64s:
    """Where the contrasts of a new point come to rest, between where they were and where its shares want them."""
    force = np.linalg.inv(reach)

    def loss(contrast: Float64s) -> float:
        away = contrast - start
        logits = basis @ contrast
        logits -= logits.max()
        return float(0.5 * away @ force @ away - shares @ (logits - np.log(np.exp(logits).sum())))

    contrast, value = start, loss(start)
    for _ in range(30):
        pull, spread = _pull_and_spread(contrast, shares, basis)
        slope = force @ (contrast - start) + pull
        step = -np.linalg.solve(force + spread, slope)
        if -slope @ step < 1e-5:
            break
        length = 1.0
        while length > 1e-3 and loss(contrast + length * step) > value + 1e-4 * length * (slope @ step):
            length /= 2
        contrast = contrast + length * step
        value = loss(contrast)
    return contrast


def _inverse(square: Float32s) -> Float32s:
    """Of a symmetric matrix with eigenvalues of 1 and more, of which the lower triangle is given.

    Raises:
        LinAlgError: beside its largest eigenvalue float32 does not see the smallest.
    """
    # Transposed, it lies in memory as LAPACK wants it.
    factor, failed = lapack.spotrf(square.T, lower=False, overwrite_a=True)
    if not failed:
        upper, failed = lapack.spotri(factor, lower=False, overwrite_c=True)
    if failed:
        raise np.linalg.LinAlgError(f"to float32 the second derivative has no inverse (row {failed} of {len(square)})")
    filled = np.triu(upper)
    return np.ascontiguousarray(filled + np.triu(filled, 1).T)


def question_curvature(inputs: Float32s, shares: Float32s, solution: Float64s) -> QuestionCurvature:
    """That of a question, in full unless it has very many parameters. Takes its time.

    Args:
        inputs: (N, D)
        shares: (m, N), as in `Question`.
        solution: (m, D + 1)

    Raises:
        LinAlgError: it cannot be computed in float32.
    """
    if _is_full(len(shares), inputs.shape[1]):
        return FullCurvature(inputs, shares, solution)
    totals = shares.sum(axis=0)
    targets = (shares / np.maximum(totals, 1e-30)).T
    return Curvature(Problem(inputs, targets, totals), Solution(solution[:, :-1], solution[:, -1]))


def curvature_bytes(n_outcomes: int, dim: int) -> int:
    """Memory that `question_curvature` takes at most, of so many outcomes and points of D channels."""
    n_contrasts, width = n_outcomes - 1, dim + 1
    if not _is_full(n_outcomes, dim):
        return 4 * width**2 + 8 * n_contrasts * (width + n_contrasts)
    n_parameters = n_contrasts * width
    return 4 * n_parameters**2 + MAX_KEPT * n_contrasts * (4 * n_parameters + 8 * n_contrasts)


def _is_full(n_outcomes: int, dim: int) -> bool:
    return (n_outcomes - 1) * (dim + 1) <= EXACT_TO
