"""Loss of labelled points."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def segmentation_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean over points, weighted: binary cross-entropy of the logit for two classes, else cross-entropy.

    Always on logits: a sigmoid first would saturate, and its gradient vanish, where the head is most wrong.

    Args:
        logits: (N, K).
        targets: (N, K), rows sum to 1.
        weights: (N,), not all zero.
    """
    if logits.shape[1] == 2:
        margin = logits[:, 1] - logits[:, 0]
        losses = functional.binary_cross_entropy_with_logits(margin, targets[:, 1], reduction="none")
    else:
        losses = functional.cross_entropy(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()
