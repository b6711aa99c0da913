"""Points at the very edge of an image teach like any others."""

from __future__ import annotations

import numpy as np
import pytest

from db.enums import Split
from ml_service.data_loaders.base import collect, in_split
from ml_service.data_loaders.segmentation import read_neighbourhood_inputs, read_point_inputs
from ml_service.feature_reader import FeatureReader
from models.feature_store import FeatureStore
from tests.ml_service.toy_session import EXTRACTOR, HEIGHT, LEFT, RIGHT, WIDTH, ToySession

EDGE = [
    (x, y) for x in (0.0, WIDTH / 2, float(WIDTH)) for y in (0.0, HEIGHT / 2, float(HEIGHT)) if (x, y) != (32.0, 24.0)
]


@pytest.mark.parametrize(("x", "y"), EDGE)
def test_sync__image_with_a_point_on_the_edge_trains(segmentation: ToySession, x: float, y: float) -> None:
    segmentation.click(1, (x, y, RIGHT))
    segmentation.click(2, (12.0, 20.0, LEFT))
    segmentation.hold_out()
    training_set = segmentation.context().training_set
    with segmentation.db.read() as db_session:
        training_set.sync(db_session)
    assert training_set.broken == {}
    samples = collect(in_split(training_set.images, Split.TRAIN), (LEFT, RIGHT), 1.0)
    assert samples is not None
    assert samples.image_ids.tolist() == [1, 2]
    assert np.isfinite(samples.inputs).all()


def test_read_inputs__edge_points_have_the_features_of_the_border_cells(segmentation: ToySession) -> None:
    segmentation.click(1, *((x, y, RIGHT) for x, y in EDGE))
    training_set = segmentation.context().training_set
    with segmentation.db.read() as db_session:
        training_set.sync(db_session)
    (image,) = (samples.image for samples in training_set.images)
    store = FeatureStore(segmentation.folder, EXTRACTOR)
    reader = FeatureReader(store, map_cache_bytes=1 << 20, pooled_cache_bytes=1 << 20)
    inputs = read_point_inputs(reader, image)
    patches = store.read_patches(image.content_hash or "").astype(np.float32)
    corners = {(0.0, 0.0): (0, 0), (WIDTH, 0.0): (0, -1), (0.0, HEIGHT): (-1, 0), (WIDTH, HEIGHT): (-1, -1)}
    for (x, y), cell in corners.items():
        (position,) = (i for i, target in enumerate(image.targets) if (target.x, target.y) == (x, y))
        np.testing.assert_array_equal(inputs[position], patches[cell])
    around = read_neighbourhood_inputs(reader, image)
    assert around.shape == (len(EDGE), 9, EXTRACTOR.dim)
    assert np.isfinite(around).all()
