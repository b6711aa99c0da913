"""Curvature leads to the minimum, and stays true when single points come and go."""

from __future__ import annotations

import numpy as np
import pytest

from ml_service.heads import question_curvature as module
from ml_service.heads.question_curvature import FullCurvature, curvature_bytes, question_curvature
from ml_service.heads.questions_fit import fit_questions
from ml_service.heads.questions_problem import Question
from ml_service.heads.softmax_fit import Curvature, Float64s
from tests.ml_service.heads.test_questions_fit import DIM, make_inputs, make_shares


@pytest.mark.parametrize("n_outcomes", [2, 4])
def test_full__is_the_inverse_of_the_second_derivative(n_outcomes: int) -> None:
    inputs = make_inputs(1500)
    shares = make_shares(inputs, n_outcomes)
    solution = fit_questions(inputs, [Question(shares)])[0]
    curvature = FullCurvature(inputs, shares, solution)
    rows, basis = np.column_stack([inputs, np.ones(len(inputs))]), curvature._basis

    def gradient(at: Float64s) -> Float64s:
        p = np.exp(rows @ at.T @ basis.T)
        p /= p.sum(axis=1, keepdims=True)
        penalty = at.copy()
        penalty[:, -1] = 0.0
        return np.asarray(basis.T @ (p.T * shares.sum(axis=0) - shares) @ rows + penalty)

    at = basis.T @ solution
    step = 1e-4 * np.random.default_rng(1).normal(size=at.shape)
    # The bias is counted as if it had a penalty as well, which is little beside what the points say.
    np.testing.assert_allclose(curvature.solve(gradient(at + step) - gradient(at)), step, atol=1e-5)


@pytest.mark.parametrize("n_outcomes", [2, 4])
def test_exchange__foretells_the_solution(n_outcomes: int) -> None:
    inputs = make_inputs(300)
    shares = make_shares(inputs, n_outcomes)
    solution = fit_questions(inputs, [Question(shares)])[0]
    curvature = FullCurvature(inputs, shares, solution)
    nothing = np.zeros(n_outcomes, np.float32)
    # One comes, one goes, one changes its mind.
    for row, now in ((10 + n_outcomes, shares[:, 0]), (1, nothing), (2, shares[:, 0])):
        before = shares[:, row].copy()
        foretold = curvature.exchange(inputs[row], before, now, solution)
        shares[:, row] = now
        found = fit_questions(inputs, [Question(shares, solution, curvature)])[0]
        assert np.linalg.norm(foretold - found) < 0.35 * np.linalg.norm(solution - found)
        solution = found
    anew = FullCurvature(inputs, shares, solution)
    gradient = np.random.default_rng(3).normal(size=(n_outcomes - 1, DIM + 1))
    expected = anew.solve(gradient)
    assert np.linalg.norm(curvature.solve(gradient) - expected) < 0.1 * np.linalg.norm(expected)


def test_exchange__beyond_what_is_kept_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 1)
    inputs = make_inputs(100)
    shares = make_shares(inputs, 2)
    solution = fit_questions(inputs, [Question(shares)])[0]
    curvature = FullCurvature(inputs, shares, solution)
    nothing = np.zeros(2, np.float32)
    assert not np.array_equal(curvature.exchange(inputs[2], nothing, shares[:, 0], solution), solution)
    np.testing.assert_array_equal(curvature.exchange(inputs[3], nothing, shares[:, 0], solution), solution)


def test_question_curvature__very_many_parameters_are_simplified(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = make_inputs(100)
    shares = make_shares(inputs, 3)
    solution = np.zeros((3, DIM + 1))
    assert isinstance(question_curvature(inputs, shares, solution), FullCurvature)
    monkeypatch.setattr(module, "EXACT_TO", DIM)
    simplified = question_curvature(inputs, shares, solution)
    assert isinstance(simplified, Curvature)
    found, expected = (fit_questions(inputs, [Question(shares, solution, one)])[0] for one in (simplified, None))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("exact_to", [DIM, 1600])
@pytest.mark.parametrize("n_outcomes", [2, 5])
def test_curvature_bytes__is_what_it_takes(monkeypatch: pytest.MonkeyPatch, n_outcomes: int, exact_to: int) -> None:
    monkeypatch.setattr(module, "EXACT_TO", exact_to)
    inputs = make_inputs(100)
    shares = make_shares(inputs, n_outcomes)
    solution = np.zeros((n_outcomes, DIM + 1))
    curvature = question_curvature(inputs, shares, solution)
    if isinstance(curvature, FullCurvature):
        curvature.exchange(inputs[3], np.zeros(n_outcomes, np.float32), shares[:, 0], solution)
    values = vars(curvature)
    taken = sum(values[name].nbytes for name in values.keys() - {"_basis", "_n_kept"})
    assert taken == curvature_bytes(n_outcomes, DIM)


def test_question_curvature__beyond_float32() -> None:
    inputs = np.ones((3000, 2), np.float32)
    shares = np.full((2, 3000), 1e6, np.float32)
    with pytest.raises(np.linalg.LinAlgError, match="no inverse"):
        question_curvature(inputs, shares, np.zeros((2, 3)))
