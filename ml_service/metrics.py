"""How good logits are on labelled samples, in short: what runs and checkpoints are compared by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml_service.confidence_intervals import clustered_share
from ml_service.probability_calibration import ONE_CLASS, Output
from ml_service.quality_figures import Figures, decisions

LEAST_P = 1e-12


@dataclass(frozen=True)
class Quality:
    """Measured on samples that the head has not learned from."""

    loss: float
    """Mean cross-entropy."""
    accuracy: float
    """Samples with the right class; where several may hold, with exactly the right ones."""
    mean_iou: float
    """Over classes, on the labelled samples only: true positives / (true and false positives and misses)."""
    n_images: int
    n_samples: int
    accuracy_low: float
    """Bounds of the 95 % interval of the accuracy,"""
    accuracy_high: float
    """by image: points of one image are not independent."""

    def to_json(self) -> dict[str, float | int]:
        """As plain JSON values."""
        return asdict(self)


def measure(
    logits: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    weights: npt.NDArray[np.floating],
    image_ids: npt.NDArray[np.intp],
    output: Output = ONE_CLASS,
) -> Quality:
    """Quality of logits (N, K) for targets (N, K), 0..1, NaN where not known.

    Samples are weighted by (N,) in the loss only.
    """
    losses = sample_losses(logits, targets, output)
    said, meant = decisions(logits, targets, output)
    union = (said | meant).sum(axis=0)
    ious = (said & meant).sum(axis=0)[union > 0] / union[union > 0]
    accuracy = clustered_share((said == meant).all(axis=1), image_ids)
    return Quality(
        loss=float(np.average(losses, weights=weights)),
        accuracy=accuracy.value,
        mean_iou=float(ious.mean()) if len(ious) else 1.0,
        n_images=len(np.unique(image_ids)),
        n_samples=len(logits),
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
    )


def sample_losses(
    raw_logits: npt.NDArray[np.floating], raw_targets: npt.NDArray[np.floating], output: Output
) -> npt.NDArray[np.float64]:
    """Cross-entropy (N,) of logits (N, K), summed over classes where several may hold."""
    logits, targets = raw_logits.astype(np.float64), raw_targets.astype(np.float64)
    if output.one_class:
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return np.asarray(-(targets * log_p).sum(axis=1))
    p = np.clip(output.probabilities(logits), LEAST_P, 1 - LEAST_P)
    return np.asarray(-np.nansum(targets * np.log(p) + (1 - targets) * np.log1p(-p), axis=1))


def describe_quality(held_out: Quality | None, n_train: int, figures: Figures | None = None) -> dict[str, Any]:
    """The metrics that every checkpoint has; None where no validation image has a label.

    Args:
        n_train: number of images learned from.
        figures: class by class, of a run; those of the live head stand in the measurements.
    """
    described: dict[str, Any] = {
        "held_out": None if held_out is None else held_out.to_json(),
        "held_out_accuracy": None if held_out is None else held_out.accuracy,
        "held_out_iou": None if held_out is None else held_out.mean_iou,
        "n_train": n_train,
        "n_val": 0 if held_out is None else held_out.n_images,
    }
    return described if figures is None else described | {"figures": figures.to_json()}
