"""Segmentation: each labelled point is a sample, read from its image's feature map."""

from __future__ import annotations

from db.queries.training_data import LabelledImage
from ml_service.data_loaders.base import FloatArray
from ml_service.feature_reader import FeatureReader
from ml_service.heads.segmentation_head import NEIGHBOURHOOD

POINTS_PER_BATCH = 4096


def read_point_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Features (n, D) at the points of an image."""
    return _read(reader, image, ((0, 0),))[:, 0]


def read_neighbourhood_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Features (n, 9, D) at and around the points of an image."""
    return _read(reader, image, NEIGHBOURHOOD)


def _read(reader: FeatureReader, image: LabelledImage, offsets: tuple[tuple[int, int], ...]) -> FloatArray:
    xy = [(target.x, target.y) for target in image.targets]
    return reader.at_points(image.content_hash or "", (image.width, image.height), xy, offsets)
