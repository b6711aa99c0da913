"""How good logits are on labelled samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Quality:
    """Measured on samples that the head has not learned from."""

    loss: float
    """Mean cross-entropy, weighted as in training."""
    accuracy: float
    mean_iou: float
    """Over classes, on the labelled samples only: true positives / (true and false positives and misses)."""
    n_images: int
    n_samples: int

    def to_json(self) -> dict[str, float | int]:
        """As plain JSON values."""
        return asdict(self)


def measure(
    logits: npt.NDArray[np.floating],
    class_index: npt.NDArray[np.intp],
    weights: npt.NDArray[np.floating],
    image_ids: npt.NDArray[np.intp],
) -> Quality:
    """Quality of logits (N, K) for true classes (N,), samples weighted by (N,) in the loss only."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    losses = -log_p[np.arange(len(logits)), class_index]
    predicted = logits.argmax(axis=1)
    ious = []
    for k in np.union1d(class_index, predicted):
        union = (predicted == k) | (class_index == k)
        ious.append(((predicted == k) & (class_index == k)).sum() / union.sum())
    return Quality(
        loss=float(np.average(losses, weights=weights)),
        accuracy=float((predicted == class_index).mean()),
        mean_iou=float(np.mean(ious)),
        n_images=len(np.unique(image_ids)),
        n_samples=len(logits),
    )


def describe_quality(held_out: Quality | None, n_train: int) -> dict[str, Any]:
    """The metrics that every checkpoint has; None where no validation image has a label.

    Args:
        n_train: number of images learned from.
    """
    return {
        "held_out": None if held_out is None else held_out.to_json(),
        "held_out_accuracy": None if held_out is None else held_out.accuracy,
        "held_out_iou": None if held_out is None else held_out.mean_iou,
        "n_train": n_train,
        "n_val": 0 if held_out is None else held_out.n_images,
    }
