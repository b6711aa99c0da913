"""A model in force, and what a task's predictor makes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from db.queries.training_data import ImageRef
from ml_service.feature_reader import FeatureReader
from ml_service.heads.base import Head


@dataclass(frozen=True)
class Model:
    """A head with everything that predicting needs."""

    head: Head
    class_ids: tuple[int, ...]
    """In the order of the head's K outputs."""
    revisions: Mapping[int, int]
    """By image id, the annotation revision that the head has learned from."""
    version: int
    """`SessionInfo.head_version` that it has."""
    checkpoint_id: int | None = None


@dataclass(frozen=True)
class ImagePrediction:
    """What a model says about one image."""

    image_id: int
    uncertainty: float
    """1 - confidence, 0..1."""
    predicted_class_id: int
    probabilities: tuple[float, ...] | None = None
    """Classification: one for each of the model's classes."""
    logits: npt.NDArray[np.float32] | None = None
    """Segmentation: (K, Hp, Wp)."""


class Predictor(Protocol):
    """The task's way to predict."""

    @property
    def chunk_size(self) -> int:
        """Images that the background sweep predicts and records at once."""
        ...

    def is_kept(self, reader: FeatureReader, image: ImageRef) -> bool:
        """Whether an image can be predicted without reading from the disk."""
        ...

    def predict(
        self, model: Model, reader: FeatureReader, images: Sequence[ImageRef], *, keep: bool
    ) -> list[ImagePrediction]:
        """One prediction for each image; `keep` their features in memory, as they are open or will be soon."""
        ...
