"""Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as `torch.optim.AdamW` computes it.

By hand, as the first optimizer of `torch.optim` imports a compiler: seconds in which no click would be answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

BETA_1, BETA_2 = 0.9, 0.999
EPSILON = 1e-8


class AdamW:
    """Changes parameters in place, each by its own memory of gradients."""

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = learning_rate
        self._weight_decay = weight_decay
        self._parameters = list(parameters)
        self._steps = 0
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Follow the gradients."""
        self._steps += 1
        correction_1, correction_2 = 1 - BETA_1**self._steps, 1 - BETA_2**self._steps
        for parameter, mean, square in zip(self._parameters, self._means, self._squares, strict=True):
            if parameter.grad is None:
                continue
            parameter.mul_(1 - self.learning_rate * self._weight_decay)
            mean.lerp_(parameter.grad, 1 - BETA_1)
            square.mul_(BETA_2).addcmul_(parameter.grad, parameter.grad, value=1 - BETA_2)
            spread = (square.sqrt() / correction_2**0.5).add_(EPSILON)
            parameter.addcdiv_(mean, spread, value=-self.learning_rate / correction_1)

    def state_dict(self) -> dict[str, Any]:
        """{"steps": count, "means": [...], "squares": [...]}, tensors in the order of the parameters, not copied."""
        return {"steps": self._steps, "means": list(self._means), "squares": list(self._squares)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken.

        Raises:
            ValueError: it is that of other parameters.
        """
        shapes = [parameter.shape for parameter in self._parameters]
        for name in ("means", "squares"):
            if [value.shape for value in state[name]] != shapes:
                raise ValueError(f"the optimizer's {name} do not have the shapes of the parameters")
        self._steps = int(state["steps"])
        self._means = [value.clone() for value in state["means"]]
        self._squares = [value.clone() for value in state["squares"]]
