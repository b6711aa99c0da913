"""Remembered steps: the direction of L-BFGS, and memories that do not see each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ml_service.heads.step_memory import StepMemory

Float64s = npt.NDArray[np.float64]
SHAPE = (2, 7)
SIZE = SHAPE[0] * SHAPE[1]


def second_derivative() -> Float64s:
    rows = np.random.default_rng(3).normal(size=(SIZE, SIZE))
    return np.asarray(np.eye(SIZE) + rows @ rows.T / SIZE)


def some_steps(count: int) -> list[tuple[Float64s, Float64s]]:
    """Steps, each with the change of the gradient."""
    steps = np.random.default_rng(4).normal(size=(count, SIZE))
    matrix = second_derivative()
    return [(step.reshape(SHAPE), (matrix @ step).reshape(SHAPE)) for step in steps]


def remembered(pairs: list[tuple[Float64s, Float64s]], limit: int) -> StepMemory:
    memory = StepMemory()
    for step, change in pairs:
        memory = memory.extended(step, change, limit)
    return memory


def two_loops(gradient: Float64s, pairs: list[tuple[Float64s, Float64s]]) -> Float64s:
    """As Nocedal (1980) writes it."""
    vector, shares = gradient.copy(), []
    for step, change in reversed(pairs):
        shares.append(np.vdot(step, vector) / np.vdot(step, change))
        vector -= shares[-1] * change
    vector *= 0.5
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        vector += step * (share - np.vdot(change, vector) / np.vdot(step, change))
    return vector


def halved(vector: Float64s) -> Float64s:
    return 0.5 * vector


@pytest.mark.parametrize(("count", "limit"), [(0, 5), (1, 5), (5, 5), (6, 5), (37, 5), (37, 9), (3, 1)])
def test_times_inverse__is_that_of_the_two_loops(count: int, limit: int) -> None:
    pairs = some_steps(count)
    gradient = np.random.default_rng(5).normal(size=SHAPE)
    found = remembered(pairs, limit).times_inverse(gradient, halved)
    np.testing.assert_allclose(found, two_loops(gradient, pairs[-limit:]), atol=1e-3)


def test_extended__two_continuations_do_not_see_each_other() -> None:
    pairs = some_steps(8)
    gradient = np.random.default_rng(6).normal(size=SHAPE)
    stem = remembered(pairs[:4], 6)
    before = stem.times_inverse(gradient, halved)
    one, other = stem.extended(*pairs[4], 6), stem.extended(*pairs[5], 6)
    one, other = one.extended(*pairs[6], 6), other.extended(*pairs[7], 6)
    np.testing.assert_array_equal(stem.times_inverse(gradient, halved), before)
    for memory, rest in ((one, [pairs[4], pairs[6]]), (other, [pairs[5], pairs[7]])):
        expected = two_loops(gradient, [*pairs[:4], *rest])
        np.testing.assert_allclose(memory.times_inverse(gradient, halved), expected, atol=1e-3)


def test_extended__a_shorter_limit_forgets_the_oldest() -> None:
    memory = remembered(some_steps(7), 7)
    step, change = some_steps(8)[-1]
    assert len(memory.extended(step, change, 3)) == 3


def test_fits__by_the_number_of_parameters() -> None:
    memory = remembered(some_steps(2), 5)
    assert memory.fits(SIZE)
    assert not memory.fits(SIZE + 1)
    assert not StepMemory().fits(SIZE)
