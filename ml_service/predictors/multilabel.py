"""Prediction of the classes of each image, any number of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import entr, expit

from ml_service.heads.base import Head, TorchHead
from ml_service.heads.exclusive_groups import GroupedHead
from ml_service.predictors.base import Model
from ml_service.predictors.whole_images import WholeImagePredictor

PREDICTED_ABOVE = 0.5


class MultilabelPredictor(WholeImagePredictor):
    """The probability of each class stands alone."""

    def read(
        self, model: Model, logits: npt.NDArray[np.float32]
    ) -> Iterator[tuple[npt.NDArray[np.floating], float, int]]:
        """See WholeImagePredictor."""
        base = base_log_odds(model.head)
        for row in expit(logits.astype(np.float64)):
            yield row, mean_entropy(row), foremost(row, base)


def base_log_odds(head: Head) -> npt.NDArray[np.float32]:
    """What the head says of an image that is like all of them together (K,): how common each class is."""
    assert isinstance(head, GroupedHead | TorchHead)
    typical: npt.NDArray[np.float32] = head.logits(head.scaler.mean[None])[0]
    return typical


def foremost(p: npt.NDArray[np.float64], base: npt.NDArray[np.float32]) -> int:
    """Of the classes predicted with p (K,) the rarest by `base`; the most probable one where none is predicted.

    Whoever looks for images of a rare class would not find them by the most probable one, as the common classes beside
    it are more probable.
    """
    predicted = np.flatnonzero(p > PREDICTED_ABOVE)
    return int(predicted[base[predicted].argmin()]) if len(predicted) else int(p.argmax())


def mean_entropy(p: npt.NDArray[np.float64]) -> float:
    """How much an answer for all classes would tell, of what it could: mean binary entropy of (K,), 0..1.

    The mean, not the largest: one answer settles all classes of an image, and with many classes almost every image has
    one of which the head is in doubt, so that the largest would put them all on one level.
    """
    return float(np.clip((entr(p) + entr(1.0 - p)).mean() / np.log(2.0), 0.0, 1.0))
