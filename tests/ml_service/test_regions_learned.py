"""The service learns from regions: a brush stroke shows in the prediction, and an undo takes exactly that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from db.enums import JobKind, RegionKind, RegionOrigin, Split
from db.queries.annotations import undo
from db.queries.classes import remove_class, restore_class
from db.queries.jobs import request_job
from db.queries.regions import NewRegion, NewShape, RegionEdit, edit_regions
from db.tables.images import Image
from ml_service.data_loaders.base import said_by_people
from ml_service.data_snapshot import DataSnapshot, load_snapshot, save_snapshot
from models.prediction_store import read_map
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, work_off

LEFT_STROKE = {"points": [[8.0, 6.0], [10.0, 40.0]], "radius": 4.0}
RIGHT_STROKE = {"points": [[50.0, 6.0], [54.0, 40.0]], "radius": 4.0}


def paint(
    session: ToySession,
    image_id: int,
    geometry: Mapping[str, Any],
    class_id: int | None,
    kind: RegionKind = RegionKind.STROKE,
    origin: RegionOrigin = RegionOrigin.HUMAN,
) -> int:
    with session.db.write() as db_session:
        region = NewRegion(class_id, NewShape(kind, geometry), origin=origin)
        image = db_session.get_one(Image, image_id)
        return int(edit_regions(db_session, image, RegionEdit(add=[region]))["revision"])


def likelier_left(session: ToySession, image_id: int) -> np.ndarray:
    prediction = session.prediction(image_id)
    assert prediction is not None
    assert prediction.map_path is not None
    logits = read_map(session.folder, prediction.map_path)
    return np.asarray(logits[prediction.class_ids.index(LEFT)] > logits[prediction.class_ids.index(RIGHT)])


def test_step__a_stroke_is_learned_and_an_undo_brings_the_very_same_prediction_back(
    segmentation: ToySession,
) -> None:
    worker = segmentation.worker()
    paint(segmentation, 1, LEFT_STROKE, LEFT)
    revision = paint(segmentation, 1, RIGHT_STROKE, RIGHT)
    work_off(worker)
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert prediction.annotation_revision == revision
    for image_id in (1, 4):
        is_left = likelier_left(segmentation, image_id)
        assert is_left[:, :3].mean() > 0.9
        assert is_left[:, 5:].mean() < 0.1
    before = segmentation.map_bytes(1)
    paint(segmentation, 1, {"x0": 34.0, "y0": 0.0, "x1": 64.0, "y1": 48.0}, LEFT, RegionKind.BOX)
    work_off(worker)
    assert segmentation.map_bytes(1) != before
    with segmentation.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 1))
    work_off(worker)
    assert segmentation.map_bytes(1) == before
    # A service that starts anew, and reads all at once, comes to the same head but for the last bits.
    again = segmentation.worker()
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.REFIT)
    work_off(again)
    assert (likelier_left(segmentation, 1) == likelier_left(segmentation, 1)).all()


def test_training_set__reads_regions_as_they_come_and_as_a_whole(segmentation: ToySession) -> None:
    context = segmentation.context()
    following = context.training_set
    for class_id, geometry in ((LEFT, LEFT_STROKE), (RIGHT, RIGHT_STROKE), (None, LEFT_STROKE), (LEFT, LEFT_STROKE)):
        paint(segmentation, 2, geometry, class_id)
        segmentation.click(2, (3.0, 3.0, LEFT), (60.0, 30.0, RIGHT))
        with segmentation.db.read() as db_session:
            following.sync(db_session)
    fresh = segmentation.context().training_set
    with segmentation.db.read() as db_session:
        fresh.sync(db_session)
    assert [samples.image.targets for samples in following.images] == [s.image.targets for s in fresh.images]
    assert np.array_equal(following.images[0].inputs, fresh.images[0].inputs)
    measured = said_by_people(fresh.images, frozenset())[0]
    assert len(measured.image.targets) == len(measured.inputs) < len(fresh.images[0].inputs)


def test_training_set__a_removed_class_uncovers_what_lies_below(segmentation: ToySession) -> None:
    paint(segmentation, 1, LEFT_STROKE, LEFT)
    paint(segmentation, 1, LEFT_STROKE, RIGHT)
    training_set = segmentation.context().training_set

    def classes() -> set[int]:
        with segmentation.db.read() as db_session:
            training_set.sync(db_session)
        return {target.class_id for samples in training_set.images for target in samples.image.targets}

    assert classes() == {RIGHT}
    with segmentation.db.write() as db_session:
        remove_class(db_session, RIGHT)
    assert classes() == {LEFT}
    with segmentation.db.write() as db_session:
        restore_class(db_session, RIGHT)
    assert classes() == {RIGHT}


def test_data_snapshot__knows_regions(segmentation: ToySession) -> None:
    paint(segmentation, 1, LEFT_STROKE, LEFT)
    segmentation.click(1, (60.0, 30.0, RIGHT))
    training_set = segmentation.context().training_set
    with segmentation.db.read() as db_session:
        training_set.sync(db_session)
    snapshot = DataSnapshot.of(samples.image for samples in training_set.images)
    assert snapshot.n_labels == 2
    assert snapshot.counts() == {LEFT: {"human": 1}, RIGHT: {"human": 1}}
    name = save_snapshot(segmentation.folder, snapshot)
    assert load_snapshot(segmentation.folder, name) == snapshot
    assert snapshot.images[0].split is Split.TRAIN


def test_step__an_accepted_mask_weighs_what_extracted_points_do(segmentation: ToySession) -> None:
    segmentation.tune(extracted_weight=0.0)
    worker = segmentation.worker()
    segmentation.click_halves(1)
    wrong = {"x": 0, "y": 0, "size": [48, 32], "counts": "0P`1"}
    paint(segmentation, 1, wrong, RIGHT, RegionKind.MASK, RegionOrigin.ACCEPTED)
    work_off(worker)
    assert likelier_left(segmentation, 1)[:, :3].mean() > 0.9
