"""What a head says of samples that it has not learned from, beside what people say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml_service.data_loaders.base import FloatArray, ImageSamples, collect
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import fit_live
from ml_service.metrics import Quality, measure
from ml_service.quality_figures import Figures, decisions, describe
from ml_service.task_factory import TaskParts

UNKNOWN_CLASS = -20.0
"""Logit, below all others, of a class that a head has never seen: it does not predict it, which counts as an error."""


@dataclass(frozen=True)
class Judged:
    """N samples of images that the head has not learned from."""

    class_ids: tuple[int, ...]
    logits: FloatArray
    """(N, K)"""
    targets: FloatArray
    """(N, K), 0..1"""
    image_ids: npt.NDArray[np.intp]
    """(N,)"""

    @property
    def n_images(self) -> int:
        """How many images the samples are of."""
        return len(np.unique(self.image_ids))


def judge(
    parts: TaskParts,
    scaler: FeatureScaler,
    training: Sequence[ImageSamples],
    test: Sequence[ImageSamples],
    class_ids: Sequence[int],
    extracted_weight: float,
    give_up: Callable[[], bool] = lambda: False,
) -> Judged | None:
    """A live head of `training` on `test`; None where one of the two teaches or asks nothing.

    Args:
        give_up: See `fit_softmax`.

    Raises:
        FitAbandonedError: `give_up` said so.
    """
    samples = collect(test, class_ids, extracted_weight)
    if samples is None:
        return None
    fitted = fit_live(parts, scaler, training, class_ids, extracted_weight, give_up)
    if fitted is None:
        return None
    known = fitted.head.logits(samples.inputs)
    lowest = np.minimum(known.min(axis=1, keepdims=True), 0) + UNKNOWN_CLASS
    logits = np.repeat(lowest, len(class_ids), axis=1)
    column_of = {class_id: column for column, class_id in enumerate(class_ids)}
    logits[:, [column_of[class_id] for class_id in fitted.class_ids]] = known
    return Judged(tuple(class_ids), logits, samples.targets, samples.image_ids)


def pool(judged: Sequence[Judged]) -> Judged:
    """The samples of several folds as one; at least one fold."""
    return Judged(
        judged[0].class_ids,
        np.concatenate([one.logits for one in judged]),
        np.concatenate([one.targets for one in judged]),
        np.concatenate([one.image_ids for one in judged]),
    )


def figures_of(parts: TaskParts, judged: Judged, variance_factor: float = 1.0) -> Figures:
    """All figures of what was judged; `variance_factor` as in `clustered_share`."""
    return describe(judged.logits, judged.targets, judged.image_ids, judged.class_ids, parts.output, variance_factor)


def quality_of(parts: TaskParts, judged: Judged) -> Quality:
    """The short form, as checkpoints have it."""
    return measure(judged.logits, judged.targets, np.ones(len(judged.targets)), judged.image_ids, parts.output)


def is_right(parts: TaskParts, judged: Judged) -> npt.NDArray[np.bool_]:
    """(N,), whether the predicted class is the true one, or the predicted classes exactly the true ones."""
    said, meant = decisions(judged.logits, judged.targets, parts.output)
    return np.asarray((said == meant).all(axis=1))
