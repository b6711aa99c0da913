"""Questions solved side by side have the solution that each has alone."""

from __future__ import annotations

import numpy as np
import pytest

from ml_service.heads import questions_fit
from ml_service.heads.question_curvature import question_curvature
from ml_service.heads.questions_fit import fit_questions
from ml_service.heads.questions_problem import Question
from ml_service.heads.softmax_fit import FitAbandonedError, Float32s, Float64s, Problem, fit_softmax

DIM = 24


def make_inputs(n_points: int) -> Float32s:
    return (np.random.default_rng(0).normal(size=(n_points, DIM)) / np.sqrt(DIM)).astype(np.float32)


def make_shares(inputs: Float32s, n_outcomes: int, *, weight: float = 3.0, seed: int = 0) -> Float32s:
    """One outcome a point, as a noisy linear rule tells; one point in ten counts for none."""
    generator = np.random.default_rng(seed)
    rule = generator.normal(size=(DIM, n_outcomes))
    outcome = (inputs @ rule + 0.5 * generator.normal(size=(len(inputs), n_outcomes))).argmax(axis=1)
    outcome[:n_outcomes] = np.arange(n_outcomes)
    shares = weight * (outcome == np.arange(n_outcomes)[:, None])
    shares[:, n_outcomes::10] = 0.0
    return shares.astype(np.float32)


def alone(inputs: Float32s, shares: Float32s) -> Float64s:
    totals = shares.sum(axis=0)
    targets = shares / np.maximum(totals, 1e-9)
    found = fit_softmax(Problem(inputs, targets.T.astype(np.float32), totals))
    return np.column_stack([found.weight, found.bias])


def assert_equal(inputs: Float32s, found: Float64s, expected: Float64s) -> None:
    rows = np.column_stack([inputs, np.ones(len(inputs))])
    np.testing.assert_allclose(rows @ found.T, rows @ expected.T, atol=1e-4)


@pytest.mark.parametrize("n_points", [20, 300, 2500])
def test_fit_questions__each_as_alone(n_points: int) -> None:
    inputs = make_inputs(n_points)
    shares = [make_shares(inputs, size, seed=seed) for seed, size in enumerate((2, 4, 2, 3, 2, 4))]
    for one, found in zip(shares, fit_questions(inputs, [Question(one) for one in shares]), strict=True):
        assert_equal(inputs, found, alone(inputs, one))


@pytest.mark.parametrize("n_points", [20, 300, 2500])
def test_fit_questions__cold_and_warm_agree(n_points: int) -> None:
    inputs = make_inputs(n_points)
    shares = [make_shares(inputs, size, seed=seed) for seed, size in enumerate((2, 4, 2))]
    earlier = [one * (np.arange(n_points) < n_points - 3) for one in shares]
    starts = fit_questions(inputs, [Question(one) for one in earlier])
    curvatures = [question_curvature(inputs, *known) for known in zip(earlier, starts, strict=True)]
    cold = fit_questions(inputs, [Question(one) for one in shares])
    started = [Question(one, start) for one, start in zip(shares, starts, strict=True)]
    known = [Question(*one) for one in zip(shares, starts, curvatures, strict=True)]
    for questions in (started, known, [known[0], started[1], known[2]]):
        for found, expected in zip(fit_questions(inputs, questions), cold, strict=True):
            assert_equal(inputs, found, expected)


def test_fit_questions__not_done_by_the_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = make_inputs(400)
    shares = [make_shares(inputs, size, seed=size) for size in (2, 3)]
    expected = fit_questions(inputs, [Question(one) for one in shares])
    monkeypatch.setattr(questions_fit, "FIRST_STEPS", 5)
    for found, one in zip(fit_questions(inputs, [Question(one) for one in shares]), expected, strict=True):
        assert_equal(inputs, found, one)


def test_fit_questions__none_and_given_up() -> None:
    inputs = make_inputs(30)
    assert fit_questions(inputs, []) == []
    with pytest.raises(FitAbandonedError):
        fit_questions(inputs, [Question(make_shares(inputs, 2))], lambda: True)


class Misleading:
    """What it takes for the way down leads along the slope, and a very little up or down."""

    def __init__(self, towards: float) -> None:
        self._towards = towards

    def solve(self, gradient: Float64s) -> Float64s:
        """See QuestionCurvature."""
        along = np.random.default_rng(1).normal(size=gradient.shape)
        along -= gradient * (np.vdot(along, gradient) / np.vdot(gradient, gradient))
        return np.asarray(along + self._towards * gradient)


@pytest.mark.parametrize("towards", [-1.0, 1e-7])
def test_fit_questions__curvature_that_misleads_is_forgotten(towards: float) -> None:
    inputs = make_inputs(300)
    shares = [make_shares(inputs, size, seed=size) for size in (2, 3)]
    starts = [np.zeros((size, DIM + 1)) for size in (2, 3)]
    for known in ([Misleading(towards), None], [Misleading(towards)] * 2):
        questions = [Question(*one) for one in zip(shares, starts, known, strict=True)]
        for one, found in zip(shares, fit_questions(inputs, questions), strict=True):
            assert_equal(inputs, found, alone(inputs, one))


def test_fit_questions__goes_on_where_curvature_cannot_be_computed(caplog: pytest.LogCaptureFixture) -> None:
    # Beside so many equal points the one that differs is not seen in float32.
    inputs = np.ones((3000, 2), np.float32)
    inputs[0] = 1.001
    shares = np.zeros((2, 3000), np.float32)
    shares[0, ::2], shares[1, 1::2] = 1e6, 1e6
    found = fit_questions(inputs, [Question(shares)])[0]
    assert "goes on without curvature" in caplog.text
    assert np.isfinite(found).all()
