from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from torch import nn

from ml_service.heads.exclusive_groups import (
    ALONE,
    GROUPS,
    GroupedModule,
    group_numbers,
    members,
    stored_groups,
    to_log_odds,
)


def test_group_numbers__a_group_of_one_class_is_none() -> None:
    groups = {1: "light", 2: "weather", 4: "light", 9: "weather", 5: "light"}
    assert group_numbers([1, 2, 3, 4], groups).tolist() == [0, ALONE, ALONE, 0]
    assert group_numbers([2, 9, 1, 5], groups).tolist() == [1, 1, 0, 0]
    assert [columns.tolist() for columns in members(group_numbers([2, 9, 1, 5], groups))] == [[2, 3], [0, 1]]
    assert group_numbers([], groups).tolist() == []


@given(
    scores=st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4),
    group_of=st.lists(st.integers(ALONE, 1), min_size=4, max_size=4),
)
def test_to_log_odds__probabilities_of_a_softmax_with_none(scores: list[float], group_of: list[int]) -> None:
    values, groups = np.array([scores]), np.array(group_of)
    p = expit(to_log_odds(values, groups))[0]
    assert p[groups == ALONE] == pytest.approx(expit(values[0, groups == ALONE]))
    for columns in members(groups):
        assert p[columns] == pytest.approx(softmax([0.0, *values[0, columns]])[1:], abs=1e-9)
        assert p[columns].sum() <= 1 + 1e-9
    module = GroupedModule(nn.Identity(), groups)
    assert module(torch.from_numpy(values)).numpy() == pytest.approx(to_log_odds(values, groups), abs=1e-6)


def test_grouped_module__a_class_learns_from_its_rivals() -> None:
    module = GroupedModule(nn.Linear(2, 3), np.array([0, 0, ALONE]))
    module(torch.ones(1, 2))[0, 0].backward()
    gradient = module.scores.weight.grad
    assert gradient is not None
    assert gradient[0].min() > 0 > gradient[1].max()
    assert gradient[2].abs().max() == 0


def test_stored_groups__refuses_what_does_not_fit() -> None:
    state = {GROUPS: np.array([0, 0, ALONE]), "weight": np.ones(3)}
    groups, rest = stored_groups(state, 3)
    assert (groups.tolist(), list(rest)) == ([0, 0, ALONE], ["weight"])
    for wrong in (np.array([0, 0]), np.array([0.0, 0.0, 1.0]), np.array([0, 0, -2])):
        with pytest.raises(ValueError, match="expected int64 of shape"):
            stored_groups({GROUPS: wrong}, 3)
    with pytest.raises(KeyError):
        stored_groups({}, 3)
