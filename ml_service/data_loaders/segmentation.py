"""Segmentation: each labelled point is a sample, read from its image's feature map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from db.queries.training_data import LabelledImage
from ml_service.data_loaders.base import FloatArray
from ml_service.feature_reader import FeatureReader
from ml_service.heads.segmentation_head import NEIGHBOURHOOD
from models.base import ExtractorInfo
from models.geometry import make_grid

POINTS_PER_BATCH = 4096


def read_point_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Features (n, D) at the points of an image."""
    return _read(reader, image, ((0, 0),))[:, 0]


def read_neighbourhood_inputs(reader: FeatureReader, image: LabelledImage) -> FloatArray:
    """Features (n, 9, D) at and around the points of an image."""
    return _read(reader, image, NEIGHBOURHOOD)


def point_cells(extractor: ExtractorInfo, image: LabelledImage) -> npt.NDArray[np.intp]:
    """Number (n,) of the feature cell that each point lies in, row by row."""
    grid = make_grid(image.width, image.height, extractor)
    columns, rows = grid.cell([(target.x, target.y) for target in image.targets]).reshape(-1, 2).T
    cells: npt.NDArray[np.intp] = rows * grid.width + columns
    return cells


def _read(reader: FeatureReader, image: LabelledImage, offsets: tuple[tuple[int, int], ...]) -> FloatArray:
    xy = [(target.x, target.y) for target in image.targets]
    return reader.at_points(image.content_hash or "", (image.width, image.height), xy, offsets)
