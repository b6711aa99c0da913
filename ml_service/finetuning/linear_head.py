"""The linear head that an extractor is fine-tuned under.

It is fitted as a linear live head is: scaled features, class weights, the same penalty on the weights. Only samples
with equal features, which a live head counts once where they have one class, count each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml_service.heads.live import LiveHeadConfig
from ml_service.task_factory import Loss

MAX_ITERATIONS = 200
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Labels:
    """What N samples are: targets (N, K), weights (N,)."""

    targets: Tensor
    weights: Tensor


class ScaledLinear(nn.Module):
    """Features as they come -> scaled -> logits.

    Args:
        mean, scale: (D,), of a `FeatureScaler`.
        group_sizes: Partition of the D channels.
        unit_norm: Whether each group is divided by its norm.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, mean: Tensor, scale: Tensor, group_sizes: tuple[int, ...], n_classes: int, *, unit_norm: bool
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.group_sizes = group_sizes
        self.unit_norm = unit_norm
        self.linear = nn.Linear(len(mean), n_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, K)."""
        logits: Tensor = self.linear(self.scaled(features))
        return logits

    def scaled(self, features: Tensor) -> Tensor:
        """What the linear layer sees."""
        scaled = (features - self.mean) * self.scale
        if not self.unit_norm:
            return scaled
        parts = torch.split(scaled, list(self.group_sizes), dim=-1)
        return torch.cat([part / part.norm(dim=-1, keepdim=True).clamp_min(1e-6) for part in parts], dim=-1)

    def penalty(self, labels: Labels, config: LiveHeadConfig) -> Tensor:
        """What weights and biases cost beside the mean loss: a live head of the same samples minimizes the sum."""
        squares = self.linear.weight.square().sum() + config.bias_penalty * self.linear.bias.square().sum()
        return 0.5 * squares / (config.data_weight * labels.weights.sum())


def fit_head(head: ScaledLinear, features: Tensor, labels: Labels, loss: Loss, config: LiveHeadConfig) -> None:
    """The best weights for these features (N, D): a convex problem, solved from where they are."""
    inputs = head.scaled(features).detach()
    optimizer = torch.optim.LBFGS(
        head.linear.parameters(),
        max_iter=MAX_ITERATIONS,
        tolerance_grad=TOLERANCE,
        tolerance_change=TOLERANCE**2,
        line_search_fn="strong_wolfe",
    )

    def objective() -> float:
        optimizer.zero_grad()
        value = loss(head.linear(inputs), labels.targets, labels.weights) + head.penalty(labels, config)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimizer.step(objective)  # type: ignore[no-untyped-call]
