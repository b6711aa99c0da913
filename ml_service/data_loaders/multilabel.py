"""Multi-label classification: each answered image is a sample, its pooled vector the input."""

from __future__ import annotations

from db.queries.training_data import LabelledImage
from ml_service.data_loaders.base import FloatArray
from ml_service.feature_reader import FeatureReader


def read_answer_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Pooled vector (1, P), however many classes the image has."""
    return reader.pooled([image.content_hash or ""])
