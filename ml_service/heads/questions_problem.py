"""Several questions about the same points as one problem: losses and gradients in passes that all questions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml_service.heads.question_curvature import QuestionCurvature
from ml_service.heads.softmax_fit import BLOCK_ROWS, Float32s, Float64s, contrasts


@dataclass(frozen=True)
class Question:
    """What is known of the answers to it, and of where they lead."""

    shares: Float32s
    """(m, N): what each point counts for each of m > 1 outcomes. None is without."""
    start: Float64s | None = None
    """Solution (m, D + 1) of a similar question: weights and, last, the bias of each outcome."""
    curvature: QuestionCurvature | None = None
    """Of a similar question with as many outcomes."""


class Alike:
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

    def only(self, is_open: npt.NDArray[np.bool_], first_row: int) -> Alike:
        """Those that are open, by question, with rows from `first_row` on."""
        kept = is_open[self.indices]
        if kept.all() and first_row == self.rows.start:
            return self
        return Alike(self.indices[kept], self.shares[:, kept], first_row)

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


class Questions:
    """Q questions about N points, as R rows of parameters in all."""

    def __init__(self, inputs: Float32s, questions: Sequence[Question]) -> None:
        self.inputs = inputs
        self.n_questions = len(questions)
        self.alike: list[Alike] = []
        sizes = [len(question.shares) for question in questions]
        n_rows = 0
        for size in sorted(set(sizes)):
            indices = [index for index, other in enumerate(sizes) if other == size]
            shares = np.stack([questions[index].shares for index in indices], axis=1)
            self.alike.append(Alike(np.array(indices, dtype=np.intp), shares, n_rows))
            n_rows = self.alike[-1].rows.stop
        self.owner = np.concatenate([alike.owner for alike in self.alike])
        """(R,), the question of each row."""
        self.curvatures = {
            index: question.curvature for index, question in enumerate(questions) if question.curvature is not None
        }
        self.has_curvature = np.isin(np.arange(self.n_questions), list(self.curvatures))
        self._open = (np.ones(self.n_questions, dtype=np.bool_), self.alike)

    def start(self, questions: Sequence[Question]) -> Float64s:
        """Parameters (R, D + 1) at which the questions say to start."""
        parameters = np.zeros((len(self.owner), self.inputs.shape[1] + 1))
        for alike in self.alike:
            for index in alike.indices.tolist():
                full = questions[index].start
                if full is not None:
                    parameters[self.owner == index] = alike.basis.T.astype(np.float64) @ full
        return parameters

    def solutions(self, parameters: Float64s) -> list[Float64s]:
        """(m, D + 1) of each question, at parameters (R, D + 1)."""
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

    def _of_open(self, is_open: npt.NDArray[np.bool_]) -> list[Alike]:
        if not np.array_equal(is_open, self._open[0]):
            kept: list[Alike] = []
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

    def forget_curvature(self, which: npt.NDArray[np.bool_]) -> None:
        """Of some questions (Q,): what misleads is worse than none."""
        self.curvatures = {index: known for index, known in self.curvatures.items() if not which[index]}
        self.has_curvature &= ~which
