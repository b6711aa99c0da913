"""Everything that is told about a head from samples it has not learned from; "unknown" where they are too few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml_service.confidence_intervals import Share, clustered_share
from ml_service.probability_calibration import ONE_CLASS, Calibration, Output, calibrate, shortage

MIN_SAMPLES, MIN_IMAGES = 5, 2
"""A share of fewer says next to nothing."""
MIN_PER_CLASS = 5
"""Samples of a class, or predicted as it, below which its recall, or precision, is unknown."""


@dataclass(frozen=True)
class ClassFigures:
    """One class, each on its own where several may hold. None: too few to say."""

    class_id: int
    support: int
    """Samples of the class, and"""
    predicted: int
    """predicted as it, and"""
    right: int
    """both."""
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None
    """right / (support + predicted - right); on labelled samples only, not on whole masks."""


@dataclass(frozen=True)
class Confusion:
    """Rows are true classes, columns predicted ones."""

    class_ids: tuple[int, ...]
    """Those that occur."""
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Figures:
    """Of a head on n samples. The same for one class a sample and for several (`one_class`)."""

    one_class: bool
    n_samples: int
    n_images: int
    unknown: str | None
    """Why there is no accuracy; None where there is."""
    accuracy: Share | None
    """Samples with the right class; where several may hold, with exactly the right ones."""
    majority_share: float | None
    """Accuracy of always saying the same: what any head must beat."""
    mean_iou: float | None
    macro_f1: float | None
    """Mean over the classes with a sample."""
    micro_f1: float | None
    """Of all decisions together. Where one class holds it is the accuracy."""
    classes: tuple[ClassFigures, ...]
    confusion: Confusion | None
    """None where several classes may hold."""
    calibration: Calibration | None
    calibration_unknown: str | None
    selected_on_these: bool = False
    """Whether the best epoch, of the head or of the adapter below it, was chosen on these images: it leans high."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def describe(
    logits: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    image_ids: npt.NDArray[np.integer],
    class_ids: Sequence[int],
    output: Output = ONE_CLASS,
    variance_factor: float = 1.0,
) -> Figures:
    """All figures of logits (N, K) against targets (N, K), 0..1, NaN where not known; N may be 0.

    Args:
        variance_factor: See `clustered_share`.
    """
    scores, truth = logits.astype(np.float64), targets.astype(np.float64)
    said, meant = decisions(scores, truth, output)
    n_samples, n_images = len(scores), len(np.unique(image_ids))
    unknown = too_few(n_samples, n_images)
    classes = tuple(_class_figures(class_id, said[:, k], meant[:, k]) for k, class_id in enumerate(class_ids))
    calibration_unknown = shortage(n_samples, n_images)
    with_support = [one for one in classes if one.support > 0]
    return Figures(
        one_class=output.one_class,
        n_samples=n_samples,
        n_images=n_images,
        unknown=unknown,
        accuracy=None if unknown else clustered_share((said == meant).all(axis=1), image_ids, variance_factor),
        majority_share=None if unknown else _majority_share(meant),
        mean_iou=None if unknown else _mean([c.right / (c.support + c.predicted - c.right) for c in with_support]),
        macro_f1=None if unknown else _mean([2 * c.right / (c.support + c.predicted) for c in with_support]),
        micro_f1=None if unknown else _micro_f1(said, meant),
        classes=classes,
        confusion=_confusion(said, meant, class_ids) if output.one_class else None,
        calibration=None if calibration_unknown else calibrate(scores, truth, image_ids, output),
        calibration_unknown=calibration_unknown,
    )


def decisions(
    logits: npt.NDArray[np.floating], targets: npt.NDArray[np.floating], output: Output
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which classes (N, K) are predicted, and which hold; neither where that is not known."""
    if output.one_class:
        return _foremost(logits), _foremost(targets)
    return (output.probabilities(logits.astype(np.float64)) >= 0.5) & ~np.isnan(targets), targets >= 0.5


def too_few(n_samples: int, n_images: int) -> str | None:
    """Why accuracy is unknown, and what is missing; None if it can be told."""
    if n_samples >= MIN_SAMPLES and n_images >= MIN_IMAGES:
        return None
    return (
        f"needs at least {MIN_SAMPLES} labels on {MIN_IMAGES} images to try it on, "
        f"so far there are {n_samples} on {n_images}"
    )


def _foremost(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    return np.asarray(values.argmax(axis=1)[:, None] == np.arange(values.shape[1]))


def _class_figures(class_id: int, said: npt.NDArray[np.bool_], meant: npt.NDArray[np.bool_]) -> ClassFigures:
    support, predicted, right = int(meant.sum()), int(said.sum()), int((said & meant).sum())
    is_known = support >= MIN_PER_CLASS
    return ClassFigures(
        class_id=class_id,
        support=support,
        predicted=predicted,
        right=right,
        precision=right / predicted if predicted >= MIN_PER_CLASS else None,
        recall=right / support if is_known else None,
        f1=2 * right / (support + predicted) if is_known else None,
        iou=right / (support + predicted - right) if is_known else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _micro_f1(said: npt.NDArray[np.bool_], meant: npt.NDArray[np.bool_]) -> float | None:
    total = int(said.sum() + meant.sum())
    return 2 * int((said & meant).sum()) / total if total else None


def _majority_share(meant: npt.NDArray[np.bool_]) -> float:
    _, counts = np.unique(meant, axis=0, return_counts=True)
    return float(counts.max() / counts.sum())


def _confusion(said: npt.NDArray[np.bool_], meant: npt.NDArray[np.bool_], class_ids: Sequence[int]) -> Confusion:
    occurs = np.flatnonzero(said.any(axis=0) | meant.any(axis=0))
    counts = meant[:, occurs].astype(np.int64).T @ said[:, occurs].astype(np.int64)
    return Confusion(tuple(class_ids[int(k)] for k in occurs), tuple(tuple(row) for row in counts.tolist()))
