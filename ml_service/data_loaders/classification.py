"""Classification: each labelled image is a sample, its pooled vector the input."""

from __future__ import annotations

import numpy as np

from db.queries.training_data import LabelledImage
from ml_service.data_loaders.base import FloatArray
from ml_service.feature_reader import FeatureReader

IMAGES_PER_BATCH = 512


def read_pooled_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Pooled vector (n, P), once for each target: n is 1, or 0 for an image without a label."""
    return np.repeat(reader.pooled([image.content_hash or ""]), len(image.targets), axis=0)
