"""Prediction of a class for each image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ml_service.predictors.base import Model
from ml_service.predictors.whole_images import WholeImagePredictor
from models.prediction_store import softmax


class ClassificationPredictor(WholeImagePredictor):
    """The probabilities of an image sum to one."""

    def read(
        self,
        model: Model,  # noqa: ARG002 - the logits say it all
        logits: npt.NDArray[np.float32],
    ) -> Iterator[tuple[npt.NDArray[np.floating], float, int]]:
        """See WholeImagePredictor."""
        for row in softmax(logits, axis=1):
            yield row, 1 - float(row.max()), int(row.argmax())
