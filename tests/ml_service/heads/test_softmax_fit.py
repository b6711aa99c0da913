"""The solver: one minimum, wherever it starts and whatever it knows of the curvature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ml_service.heads.softmax_fit import (
    Curvature,
    FitAbandonedError,
    Problem,
    Solution,
    balanced,
    contrasts,
    fit_softmax,
)

DIM = 24
LOGIT_TOLERANCE = 1e-4


def make_problem(
    n_points: int, n_classes: int, *, weight: float = 1.0, seed: int = 0, bias_penalty: float = 0.0
) -> Problem:
    """Overlapping classes in features of unit norm on average, as the scaler makes them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_points)
    y[:n_classes] = np.arange(n_classes)
    centres = np.random.default_rng(9).normal(size=(n_classes, DIM))
    inputs = (0.4 * centres[y] + rng.normal(size=(n_points, DIM))) / np.sqrt(DIM)
    targets = np.eye(n_classes, dtype=np.float32)[y]
    return Problem(inputs.astype(np.float32), targets, np.full(n_points, weight, np.float32), bias_penalty)


def without_last(problem: Problem, n_left_out: int) -> Problem:
    kept = slice(len(problem.inputs) - n_left_out)
    return replace(problem, inputs=problem.inputs[kept], targets=problem.targets[kept], weights=problem.weights[kept])


def logits(problem: Problem, solution: Solution) -> npt.NDArray[np.float64]:
    return np.asarray(problem.inputs @ solution.weight.T + solution.bias)


@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("n_points", [20, 300, 2500])
@pytest.mark.parametrize("weight", [1.0, 10.0])
@pytest.mark.parametrize("bias_penalty", [0.0, 10.0])
def test_fit_softmax__cold_and_warm_agree(n_classes: int, n_points: int, weight: float, bias_penalty: float) -> None:
    problem = make_problem(n_points, n_classes, weight=weight, bias_penalty=bias_penalty)
    earlier = without_last(problem, 3)
    start = fit_softmax(earlier)
    curvature = Curvature(earlier, start)
    cold = fit_softmax(problem)
    for warm in (
        fit_softmax(problem, start=start),
        fit_softmax(problem, start=start, curvature=curvature),
        fit_softmax(problem, curvature=curvature),
    ):
        np.testing.assert_allclose(logits(problem, warm), logits(problem, cold), atol=LOGIT_TOLERANCE)


def test_loss_and_gradient__of_dear_biases() -> None:
    problem = make_problem(50, 3, bias_penalty=10.0)
    at = np.random.default_rng(2).normal(size=(2, DIM + 1))
    _, gradient = problem.loss_and_gradient(at)
    step = np.zeros_like(at)
    step[:, -1] = 1e-2
    ahead, behind = problem.loss_and_gradient(at + step)[0], problem.loss_and_gradient(at - step)[0]
    assert (ahead - behind) / 2 == pytest.approx(np.vdot(gradient, step), rel=1e-3)


@pytest.mark.parametrize("bias_penalty", [1.0, 10.0])
def test_curvature__of_two_classes_is_exact(bias_penalty: float) -> None:
    problem = make_problem(200, 2, bias_penalty=bias_penalty)
    solution = fit_softmax(problem)
    at = problem.basis.T @ np.column_stack([solution.weight, solution.bias])
    step = np.random.default_rng(3).normal(size=at.shape)
    ahead, behind = (problem.loss_and_gradient(at + sign * 1e-2 * step)[1] for sign in (1, -1))
    found = Curvature(problem, solution).solve((ahead - behind) / 2e-2)
    np.testing.assert_allclose(found, step, atol=1e-2)


def test_fit_softmax__after_many_changes_as_from_nothing() -> None:
    whole = make_problem(400, 4)
    solution, curvature = None, None
    for n_left_out in range(100, -1, -1):
        problem = without_last(whole, n_left_out)
        solution = fit_softmax(problem, start=solution, curvature=curvature)
        if n_left_out == 80:
            curvature = Curvature(problem, solution)
    assert solution is not None
    np.testing.assert_allclose(logits(whole, solution), logits(whole, fit_softmax(whole)), atol=LOGIT_TOLERANCE)


@pytest.mark.parametrize("n_classes", [2, 8])
def test_fit_softmax__start_and_curvature_save_passes(n_classes: int) -> None:
    problem = make_problem(2000, n_classes)
    earlier = without_last(problem, 1)
    start = fit_softmax(earlier)
    warm = fit_softmax(problem, start=start, curvature=Curvature(earlier, start))
    assert warm.passes < fit_softmax(problem).passes / 2


def test_fit_softmax__curvature_of_other_classes_is_left_aside() -> None:
    other = make_problem(50, 3)
    curvature = Curvature(other, fit_softmax(other))
    problem = make_problem(50, 4)
    np.testing.assert_array_equal(fit_softmax(problem, curvature=curvature).weight, fit_softmax(problem).weight)


def test_fit_softmax__solution_has_no_part_that_probabilities_do_not_see() -> None:
    solution = fit_softmax(make_problem(100, 5))
    np.testing.assert_allclose(solution.weight.sum(axis=0), 0, atol=1e-6)
    assert solution.bias.mean() == pytest.approx(0, abs=1e-9)


def test_fit_softmax__targets_that_share_a_point() -> None:
    """Half and half is what two contradictory points of half the weight say."""
    problem = make_problem(40, 3)
    first, last = problem.inputs[:1], problem.inputs[1:]
    shared = Problem(
        problem.inputs,
        np.concatenate([[[0.5, 0.5, 0]], problem.targets[1:]]).astype(np.float32),
        problem.weights,
    )
    twice = Problem(
        np.concatenate([first, first, last]),
        np.concatenate([np.eye(3)[:2], problem.targets[1:]]).astype(np.float32),
        np.concatenate([[0.5, 0.5], problem.weights[1:]]).astype(np.float32),
    )
    found, expected = fit_softmax(shared), fit_softmax(twice)
    np.testing.assert_allclose(logits(problem, found), logits(problem, expected), atol=LOGIT_TOLERANCE)


def test_fit_softmax__is_at_the_minimum() -> None:
    problem = make_problem(1500, 4)
    curvature = Curvature(problem, Solution(np.zeros((4, DIM)), np.zeros(4)))
    for solution in (fit_softmax(problem), fit_softmax(problem, curvature=curvature)):
        parameters = problem.basis.T.astype(np.float64) @ np.column_stack([solution.weight, solution.bias])
        assert np.linalg.norm(problem.loss_and_gradient(parameters)[1]) < 1e-2
        best = problem.loss_and_gradient(parameters)[0]
        for step in np.random.default_rng(0).normal(0, 0.02, (20, *parameters.shape)):
            assert problem.loss_and_gradient(parameters + step)[0] > best


def test_fit_softmax__huge_inputs_and_weights_stay_finite() -> None:
    problem = make_problem(60, 3)
    huge = Problem(problem.inputs * 1e4, problem.targets, problem.weights * 100)
    assert np.isfinite(fit_softmax(huge).weight).all()


def test_fit_softmax__gives_up_when_told() -> None:
    with pytest.raises(FitAbandonedError):
        fit_softmax(make_problem(50, 2), give_up=lambda: True)


def test_loss_and_gradient__agree() -> None:
    problem = make_problem(1200, 3)
    rng = np.random.default_rng(0)
    at = rng.normal(size=(2, DIM + 1))
    direction = rng.normal(size=at.shape)
    _, gradient = problem.loss_and_gradient(at)
    ahead, behind = (problem.loss_and_gradient(at + sign * 0.01 * direction)[0] for sign in (1, -1))
    assert np.vdot(gradient, direction) == pytest.approx((ahead - behind) / 0.02, rel=1e-2)


@pytest.mark.parametrize("n_classes", [2, 3, 50])
def test_contrasts__are_orthonormal_and_of_sum_zero(n_classes: int) -> None:
    columns = contrasts(n_classes)
    np.testing.assert_allclose(columns.T @ columns, np.eye(n_classes - 1), atol=1e-6)
    np.testing.assert_allclose(columns.sum(axis=0), 0, atol=1e-6)


def test_balanced__equal_totals_and_the_same_grand_total() -> None:
    targets = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    weights = balanced(np.array([1, 1, 2, 1], np.float32), targets, 1.0)
    np.testing.assert_allclose(weights @ targets, [2.5, 2.5], rtol=1e-6)
    np.testing.assert_array_equal(balanced(np.ones(4, np.float32), targets, 0.0), np.ones(4))


def test_fit_softmax__a_start_may_be_used_again() -> None:
    problem = make_problem(400, 5)
    start = fit_softmax(without_last(problem, 5))
    once = fit_softmax(problem, start=start)
    fit_softmax(without_last(problem, 2), start=start)
    np.testing.assert_array_equal(fit_softmax(problem, start=start).weight, once.weight)


def test_fit_softmax__contradictions_one_by_one_as_from_nothing() -> None:
    whole = make_problem(600, 6, weight=3.0)
    solution = fit_softmax(whole)
    curvature = Curvature(whole, solution)
    targets = whole.targets.copy()
    for row in range(0, 60, 2):
        targets[row] = np.roll(targets[row], 1)
        problem = Problem(whole.inputs, targets.copy(), whole.weights)
        solution = fit_softmax(problem, start=solution, curvature=curvature)
        np.testing.assert_allclose(
            logits(problem, solution), logits(problem, fit_softmax(problem)), atol=LOGIT_TOLERANCE
        )
