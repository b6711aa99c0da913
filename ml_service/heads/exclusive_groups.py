"""Classes of which any number may hold, and groups of them of which one holds at most: scores to log-odds.

A head of a multi-label task gives a score to each class. Alone, a class has the log-odds that its score says. In a
group the scores compete, with zero for "none of them": p_k = exp(s_k) / (1 + sum over j of exp(s_j)). What leaves the
head are the log-odds log(p / (1 - p)) of every class, so that nothing behind it needs to know the groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import logsumexp
from torch import Tensor, nn

from ml_service.heads.base import FloatArray, State
from ml_service.heads.live import LiveHead
from ml_service.heads.scaler import FeatureScaler

ALONE = -1
GROUPS = "group_of"
"""What the groups are called in the state of a head."""
GroupOf = npt.NDArray[np.int64]
"""(K,), number of the group of each class, counted from 0; `ALONE` for a class in none."""


def group_numbers(class_ids: Sequence[int], group_by_class: Mapping[int, str]) -> GroupOf:
    """The groups of these classes. One with a single class of these is none: there is nothing to exclude."""
    names = [group_by_class.get(class_id) for class_id in class_ids]
    shared = sorted({name for name in names if name is not None and names.count(name) > 1})
    return np.array([shared.index(name) if name in shared else ALONE for name in names], dtype=np.int64)


def members(group_of: GroupOf) -> list[npt.NDArray[np.intp]]:
    """Columns of each group."""
    return [np.flatnonzero(group_of == number) for number in np.unique(group_of[group_of != ALONE])]


def to_log_odds(scores: npt.NDArray[np.floating], group_of: GroupOf) -> npt.NDArray[np.floating]:
    """Log-odds (..., K) of scores (..., K)."""
    odds = scores.copy()
    for columns in members(group_of):
        for column in columns:
            rivals = scores[..., columns[columns != column]]
            odds[..., column] -= np.logaddexp(0.0, logsumexp(rivals, axis=-1))
    return odds


@dataclass(frozen=True)
class GroupedHead:
    """A live head that gives scores, seen from outside as one that gives log-odds."""

    scores: LiveHead
    group_of: GroupOf

    @property
    def scaler(self) -> FeatureScaler:
        """That of the scores."""
        return self.scores.scaler

    def logits(self, features: FloatArray) -> FloatArray:
        """As in `Head`: log-odds."""
        return np.asarray(to_log_odds(self.scores.logits(features), self.group_of), dtype=np.float32)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """As in `Head`."""
        return {**self.scores.state(), GROUPS: self.group_of}


class GroupedModule(nn.Module):
    """A module that gives scores (N, K), as one that gives log-odds (N, K)."""

    def __init__(self, scores: nn.Module, group_of: GroupOf) -> None:
        super().__init__()
        self.scores = scores
        self.group_of = group_of

    def forward(self, inputs: Tensor) -> Tensor:
        """Log-odds (N, K)."""
        scores: Tensor = self.scores(inputs)
        columns = list(scores.unbind(dim=-1))
        for group in members(self.group_of):
            for column in group.tolist():
                rivals = [scores[..., other] for other in group.tolist() if other != column]
                none = torch.zeros_like(scores[..., column])
                columns[column] = columns[column] - torch.logsumexp(torch.stack([none, *rivals], dim=-1), dim=-1)
        return torch.stack(columns, dim=-1)

    def constants(self) -> dict[str, npt.NDArray[np.generic]]:
        """What a checkpoint must hold beside the weights."""
        return {GROUPS: self.group_of}


def stored_groups(state: State, n_classes: int) -> tuple[GroupOf, State]:
    """The groups of a head's state, and the rest of it.

    Raises:
        KeyError, ValueError: it is not that of a head of so many classes with groups.
    """
    found = np.asarray(state[GROUPS])
    if found.dtype != np.int64 or found.shape != (n_classes,) or found.min(initial=ALONE) < ALONE:
        raise ValueError(
            f"{GROUPS} is {found.dtype} of shape {found.shape}, expected int64 of shape ({n_classes},), from {ALONE} on"
        )
    return np.asarray(found, dtype=np.int64), {name: value for name, value in state.items() if name != GROUPS}
