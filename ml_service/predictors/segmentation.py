"""Prediction of a map: logits for each cell of the feature grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from db.queries.training_data import ImageRef
from ml_service.feature_reader import FeatureReader
from ml_service.heads.helpers import Helpers
from ml_service.heads.kernel_head import KernelHead
from ml_service.heads.live import LiveHead
from ml_service.predictors.base import ImagePrediction, Model
from models.prediction_store import softmax


class SegmentationPredictor:
    """One map an image. Logits are stored, and upsampled on reading.

    For a linear head that equals the logits of upsampled features. For the others (the kernel head of few points,
    hidden layers, convolutions) it does not: their maps are those of the cells, interpolated.
    """

    chunk_size = 1

    def is_kept(self, reader: FeatureReader, image: ImageRef) -> bool:
        """As in `Predictor`."""
        return reader.is_kept(image)

    def predict(
        self, model: Model, reader: FeatureReader, images: Sequence[ImageRef], *, keep: bool
    ) -> list[ImagePrediction]:
        """As in `Predictor`."""
        return [_predict_map(model, reader, image, keep=keep) for image in images]


@cache
def _helpers() -> Helpers:
    return Helpers()


def _logits(model: Model, reader: FeatureReader, image: ImageRef, *, keep: bool) -> npt.NDArray[np.float32]:
    if keep and isinstance(model.head, KernelHead):
        # Somebody looks at this image or soon will; of all others each thread of the sweep predicts one.
        return model.head.logits(reader.feature_map(image, keep=True), _helpers())
    if keep or not isinstance(model.head, LiveHead | KernelHead):
        return model.head.logits(reader.feature_map(image, keep=keep))
    logits = model.head.logits(reader.stored_map(image))
    if not np.isfinite(logits).all():
        # Every value of the features goes into the logits: the one that is wrong is named by a reading that looks.
        logits = model.head.logits(reader.feature_map(image, keep=False))
    return logits


def _predict_map(model: Model, reader: FeatureReader, image: ImageRef, *, keep: bool) -> ImagePrediction:
    logits = _logits(model, reader, image, keep=keep)
    planes = np.ascontiguousarray(np.moveaxis(logits, -1, 0))
    # Class by class in memory, everything that follows is several times as fast.
    cells = planes.reshape(len(planes), -1)
    area = np.bincount(cells.argmax(axis=0), minlength=len(cells))
    return ImagePrediction(
        image_id=image.id,
        uncertainty=1 - float(softmax(cells, axis=0).max(axis=0).mean()),
        predicted_class_id=model.class_ids[int(area.argmax())],
        logits=planes,
    )
