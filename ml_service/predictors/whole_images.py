"""What predictors of whole images share: pooled vectors of many images through the head at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from db.queries.training_data import ImageRef
from ml_service.feature_reader import FeatureReader
from ml_service.predictors.base import ImagePrediction, Model


class WholeImagePredictor(ABC):
    """A `Predictor` of probabilities, not maps."""

    chunk_size = 64

    def is_kept(self, reader: FeatureReader, image: ImageRef) -> bool:  # noqa: ARG002 - the reader keeps all vectors
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
        logits = model.head.logits(reader.pooled([image.content_hash for image in images]))
        return [
            ImagePrediction(
                image_id=image.id,
                uncertainty=uncertainty,
                predicted_class_id=model.class_ids[foremost],
                probabilities=tuple(float(p) for p in probabilities),
            )
            for image, (probabilities, uncertainty, foremost) in zip(images, self.read(model, logits), strict=True)
        ]

    @abstractmethod
    def read(
        self, model: Model, logits: npt.NDArray[np.float32]
    ) -> Iterable[tuple[npt.NDArray[np.floating], float, int]]:
        """Of logits (N, K), for each image: probabilities (K,), uncertainty 0..1, index of the predicted class."""
