from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.clock import utc_now
from db.enums import JobKind, JobState, Origin
from db.queries.annotations import clear, undo
from db.queries.jobs import claim_job, request_job
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tables.processes import Event
from db.tables.session import LabelClass
from db.tasks import Task
from ml_service import leftovers
from models.prediction_store import read_map, softmax
from tests.ml_service.toy_session import (
    LEFT,
    RIGHT,
    ToySession,
    add_images,
    make_session,
    true_class,
    work_off,
)


def test_step__click_is_learned_and_the_open_image_predicted_first(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    revision = segmentation.click(3, (12, 20, LEFT), (52, 20, RIGHT))
    assert worker.step()
    prediction = segmentation.prediction(3)
    assert prediction is not None
    assert (prediction.version, prediction.annotation_revision, prediction.class_ids) == (1, revision, [LEFT, RIGHT])
    assert segmentation.info().head_version == 1
    assert segmentation.jobs()[0].state is JobState.DONE
    assert prediction.map_path is not None
    p_left = softmax(read_map(segmentation.folder, prediction.map_path), axis=0)[0]
    assert p_left.shape == (prediction.map_height, prediction.map_width) == (6, 8)
    assert p_left[:, :4].min() > 0.5 > p_left[:, 4:].max()
    assert segmentation.predicted_versions() == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0}


def test_step__sweep_goes_on_after_the_open_image_and_then_reaches_all(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(4)
    order = []
    seen = {image_id for image_id, version in segmentation.predicted_versions().items() if version}
    while worker.step():
        now = {image_id for image_id, version in segmentation.predicted_versions().items() if version}
        order += sorted(now - seen)
        seen = now
    assert order == [4, 5, 6, 1, 2, 3]


def test_step__sweep_yields_to_a_click(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    worker.step()
    worker.step()
    revision = segmentation.click(6, (12, 20, LEFT))
    worker.step()
    prediction = segmentation.prediction(6)
    assert prediction is not None
    assert (prediction.version, prediction.annotation_revision) == (2, revision)


def test_step__prediction_event_names_image_version_and_revision(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(2)
    worker.step()
    with segmentation.db.read() as db_session:
        event = db_session.scalars(select(Event).where(Event.kind == "prediction")).one()
    assert event.payload == {"image_id": 2, "version": 1, "annotation_revision": 1, "checkpoint_id": None}


def test_step__undo_brings_the_very_same_prediction_back(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1, 2)
    work_off(worker)
    before = segmentation.map_bytes(1)
    segmentation.click(1, (12, 21, LEFT), (52, 21, RIGHT), (30, 40, RIGHT))
    work_off(worker)
    assert segmentation.map_bytes(1) != before
    with segmentation.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 1))
    work_off(worker)
    assert segmentation.map_bytes(1) == before


def test_step__order_of_labelling_does_not_matter(tmp_path: Path) -> None:
    maps = []
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        session = make_session(tmp_path / name, Task.SEGMENTATION, 3)
        worker = session.worker()
        for image_id in order:
            session.click_halves(image_id)
            work_off(worker)
        maps.append(np.load(BytesIO(session.map_bytes(2))).astype(np.float32))
        session.db.close()
    # To what is left of a logit in half precision.
    np.testing.assert_allclose(maps[0], maps[1], rtol=2e-3, atol=2e-3)


def test_step__one_class_alone_still_predicts(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click(1, (12, 20, LEFT))
    worker.step()
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert prediction.map_path is not None
    p = softmax(read_map(segmentation.folder, prediction.map_path), axis=0)
    left = prediction.class_ids.index(LEFT)
    assert (p.argmax(axis=0) == left).all()
    assert p[left].max() < 1


def test_step__without_any_label_left_the_predictions_go(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    with segmentation.db.write() as db_session:
        clear(db_session, db_session.get_one(Image, 1))
    work_off(worker)
    assert segmentation.info().head_version == 2
    assert segmentation.prediction(1) is None
    assert set(segmentation.predicted_versions().values()) == {0}
    assert list((segmentation.folder / "predictions").rglob("*.npy")) == []


def test_step__last_undo_answers_the_open_image_first_and_the_others_in_portions(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "PREDICTIONS_PER_STEP", 2)
    worker = segmentation.worker()
    segmentation.click_halves(3)
    work_off(worker)
    with segmentation.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 3))
    counts = []
    for _ in range(4):
        assert worker.step()
        counts.append(sum(segmentation.prediction(image_id) is not None for image_id in range(1, 7)))
    assert segmentation.prediction(3) is None
    assert counts == [5, 3, 1, 0]
    work_off(worker)
    assert set(segmentation.predicted_versions().values()) == {0}


def test_step__removed_class_leaves_the_head(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label(1, LEFT)
    classification.label(2, RIGHT)
    classification.label(3, 3)
    work_off(worker)
    with classification.db.write() as db_session:
        db_session.get_one(LabelClass, 3).removed_at = utc_now()
        request_job(db_session, JobKind.REFIT, 3)
    work_off(worker)
    prediction = classification.prediction(3)
    assert prediction is not None
    assert prediction.class_ids == [LEFT, RIGHT]
    with classification.db.write() as db_session:
        db_session.get_one(LabelClass, 3).removed_at = None
        request_job(db_session, JobKind.REFIT, 3)
    work_off(worker)
    prediction = classification.prediction(3)
    assert prediction is not None
    assert prediction.class_ids == [LEFT, RIGHT, 3]


def test_step__old_maps_are_removed(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    for image_id in (1, 2, 3):
        segmentation.click_halves(image_id)
        work_off(worker)
    files = sorted(path.name for path in (segmentation.folder / "predictions").rglob("*"))
    assert files == ["0000", *(f"{image_id}.3.npy" for image_id in range(1, 7))]


def test_step__classification_sweeps_all_and_is_right(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 11))
    work_off(worker)
    with classification.db.read() as db_session:
        images = db_session.scalars(select(Image)).all()
        predictions = {row.image_id: row for row in db_session.scalars(select(Prediction))}
    version = classification.info().head_version
    assert [image.predicted_version for image in images] == [version] * 40
    assert all(image.predicted_class_id == true_class(image.id) for image in images)
    for image in images:
        p = predictions[image.id].probabilities
        assert p is not None
        assert sum(p) == pytest.approx(1, abs=1e-5)
        assert image.uncertainty == pytest.approx(1 - max(p), abs=1e-6)
        assert predictions[image.id].annotation_revision == (1 if image.id <= 10 else 0)


def test_step__a_click_during_the_refit_is_not_lost(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    with segmentation.db.write() as db_session:
        claim_job(db_session, worker.worker_id)
    segmentation.click_halves(2)
    assert [job.state for job in segmentation.jobs()] == [JobState.RUNNING, JobState.QUEUED]


def test_step__asked_for_image_moves_to_the_front(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    worker.step()
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 5)
    worker.step()
    assert segmentation.predicted_versions() == {1: 1, 2: 0, 3: 0, 4: 0, 5: 1, 6: 0}


def test_step__asked_for_without_a_head_ends_quietly(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 5)
    work_off(worker)
    assert segmentation.jobs()[0].state is JobState.DONE


def test_step__new_images_are_predicted_by_the_head_in_force(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    add_images(segmentation, [7, 8], n_ready=2)
    work_off(worker)
    assert {segmentation.predicted_versions()[image_id] for image_id in (7, 8)} == {1}


def test_start__learns_what_was_labelled_while_no_service_ran(segmentation: ToySession) -> None:
    segmentation.click_halves(1)
    worker = segmentation.worker()
    work_off(worker)
    assert segmentation.prediction(1) is not None


def test_step__extracted_points_count_less(tmp_path: Path) -> None:
    maps = {}
    for weight in (0.0, 0.3, 1.0):
        session = make_session(tmp_path / str(weight), Task.SEGMENTATION, 2)
        session.tune(extracted_weight=weight)
        session.click(1, (12, 20, LEFT), (52, 20, RIGHT))
        # Wrong on purpose: the more these guesses count, the less the head believes what the person said.
        session.click(2, (12, 20, RIGHT), (14, 30, RIGHT), (52, 20, LEFT), origin=Origin.EXTRACTED)
        worker = session.worker()
        work_off(worker)
        prediction = session.prediction(1)
        assert prediction is not None
        assert prediction.map_path is not None
        maps[weight] = softmax(read_map(session.folder, prediction.map_path), axis=0)[0, :, :4].mean()
        session.db.close()
    assert maps[0.0] > maps[0.3] > maps[1.0]
