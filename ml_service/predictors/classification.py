"""Prediction of a class for each image."""

from __future__ import annotations

from collections.abc import Sequence

from db.queries.training_data import ImageRef
from ml_service.feature_reader import FeatureReader
from ml_service.predictors.base import ImagePrediction, Model
from models.prediction_store import softmax


class ClassificationPredictor:
    """Pooled vectors of many images through the head at once."""

    chunk_size = 256

    def is_kept(self, reader: FeatureReader, image: ImageRef) -> bool:  # noqa: ARG002 - as above
        """As in `Predictor`."""
        return True

    def predict(
        self,
        model: Model,
        reader: FeatureReader,
        images: Sequence[ImageRef],
        *,
        keep: bool,  # noqa: ARG002 - the vectors are small, the reader keeps them anyway
    ) -> list[ImagePrediction]:
        """As in `Predictor`."""
        vectors = reader.pooled([image.content_hash for image in images])
        rows = softmax(model.head.logits(vectors), axis=1)
        return [
            ImagePrediction(
                image_id=image.id,
                uncertainty=1 - float(row.max()),
                predicted_class_id=model.class_ids[int(row.argmax())],
                probabilities=tuple(float(p) for p in row),
            )
            for image, row in zip(images, rows, strict=True)
        ]
