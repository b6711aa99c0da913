"""Loss of labelled images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def classification_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy over images, weighted.

    Args:
        logits: (N, K).
        targets: (N, K), rows sum to 1.
        weights: (N,), not all zero.
    """
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()
