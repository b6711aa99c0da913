"""Loss of images that may have several classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def multilabel_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean over images, weighted, of the binary cross-entropy summed over classes.

    In a group the log-odds are those of a softmax (ml_service/heads/exclusive_groups.py), so that its classes compete.

    Args:
        logits: (N, K), log-odds.
        targets: (N, K), 0..1 each; NaN where it is not known, which costs nothing.
        weights: (N,), not all zero.
    """
    known = ~targets.isnan()
    losses = functional.binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
    losses = (losses * known).sum(dim=1)
    return (losses * weights).sum() / weights.sum()
