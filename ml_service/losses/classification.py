"""Loss of labelled images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def classification_loss(logits: Tensor, class_index: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy over images, weighted.

    Args:
        logits: (N, K).
        class_index: (N,) int64.
        weights: (N,), not all zero.
    """
    losses = functional.cross_entropy(logits, class_index, reduction="none")
    return (losses * weights).sum() / weights.sum()
