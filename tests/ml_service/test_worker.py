from __future__ import annotations

import datetime as dt
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from db.clock import utc_now
from db.enums import CheckpointKind, FeatureState, JobKind, JobState, Origin, RunState
from db.queries.annotations import clear, undo
from db.queries.checkpoints import activate
from db.queries.jobs import MAX_ATTEMPTS, claim_job, request_job
from db.queries.runs import request_run, start_next_run
from db.queries.workers import heartbeat_age_s
from db.tables.images import Image
from db.tables.learning import Checkpoint, Prediction, Run
from db.tables.processes import Event, Job, Worker
from db.tables.session import LabelClass
from db.tasks import Task
from ml_service import head_keeper, live_checkpoint
from ml_service.checkpoint import save_checkpoint
from ml_service.live_checkpoint import save_live_checkpoint
from models.feature_store import FeatureStore
from models.prediction_store import read_map, softmax, write_map
from tests.ml_service.toy_session import (
    EXTRACTOR,
    LEFT,
    RIGHT,
    ToySession,
    add_images,
    content_hash,
    make_ready,
    make_session,
    true_class,
    work_off,
)


def _versions(session: ToySession) -> dict[int, int]:
    with session.db.read() as db_session:
        return {row.id: row.predicted_version for row in db_session.execute(select(Image.id, Image.predicted_version))}


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
    assert _versions(segmentation) == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0}


def test_step__sweep_goes_on_after_the_open_image_and_then_reaches_all(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(4)
    order = []
    seen = {image_id for image_id, version in _versions(segmentation).items() if version}
    while worker.step():
        now = {image_id for image_id, version in _versions(segmentation).items() if version}
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
    assert set(_versions(segmentation).values()) == {0}
    assert list((segmentation.folder / "predictions").rglob("*.npy")) == []


def test_step__click_does_not_wait_for_a_checkpoint_that_is_being_saved(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def save_late(*values: Any) -> None:
        assert goes_on.wait(30)
        save_checkpoint(*values)

    monkeypatch.setattr(live_checkpoint, "save_checkpoint", save_late)
    worker = segmentation.worker()
    segmentation.click_halves(1)
    while worker.keeper._saver._saving is None:
        assert worker.step()
    revision = segmentation.click(2, (12.0, 20.0, LEFT), (52.0, 20.0, RIGHT))
    assert worker.step()
    prediction = segmentation.prediction(2)
    assert prediction is not None
    assert prediction.annotation_revision == revision
    goes_on.set()
    work_off(worker)
    with segmentation.db.read() as db_session:
        saved = db_session.scalars(select(Checkpoint).order_by(Checkpoint.id)).all()
    assert [checkpoint.label_sequence for checkpoint in saved] == [1, 2]


def test_step__last_undo_answers_the_open_image_first_and_the_others_in_portions(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_keeper, "PREDICTIONS_PER_STEP", 2)
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
    assert set(_versions(segmentation).values()) == {0}


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
    assert _versions(segmentation) == {1: 1, 2: 0, 3: 0, 4: 0, 5: 1, 6: 0}


def test_step__asked_for_without_a_head_ends_quietly(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 5)
    work_off(worker)
    assert segmentation.jobs()[0].state is JobState.DONE


def test_step__failing_job_is_recorded_and_the_next_one_done(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.tune(extracted_weight=-1)
    segmentation.click_halves(1)
    worker.step()
    (job,) = segmentation.jobs()
    assert job.state is JobState.FAILED
    assert "extracted_weight" in (job.error or "")
    with segmentation.db.read() as db_session:
        event = db_session.scalars(select(Event).where(Event.kind == "job")).one()
    assert event.payload["job_kind"] == "refit"
    segmentation.tune(extracted_weight=0.3)
    segmentation.click_halves(2)
    work_off(worker)
    assert segmentation.prediction(2) is not None


def test_step__image_with_lost_features_fails_alone(segmentation: ToySession) -> None:
    FeatureStore(segmentation.folder, EXTRACTOR).patches_path(content_hash(2)).unlink()
    FeatureStore(segmentation.folder, EXTRACTOR).patches_path(content_hash(5)).unlink()
    worker = segmentation.worker()
    segmentation.click_halves(1, 2)
    work_off(worker)
    assert all(job.state is JobState.DONE for job in segmentation.jobs())
    versions = _versions(segmentation)
    assert [versions[image_id] > 0 for image_id in range(1, 7)] == [True, False, True, True, False, True]
    with segmentation.db.read() as db_session:
        for image_id in (2, 5):
            image = db_session.get_one(Image, image_id)
            assert image.features is FeatureState.FAILED
            assert "missing" in (image.failure or "")


def test_step__labels_wait_for_their_features(tmp_path: Path) -> None:
    session = make_session(tmp_path, Task.SEGMENTATION, 3, n_ready=1)
    worker = session.worker(tick_interval_s=0.001)
    session.click_halves(1, 2)
    work_off(worker)
    assert session.prediction(2) is None
    before = session.info().head_version
    make_ready(session, 2)
    work_off(worker)
    assert session.info().head_version > before
    prediction = session.prediction(2)
    assert prediction is not None
    assert prediction.annotation_revision == 1
    session.db.close()


def test_step__new_images_are_predicted_by_the_head_in_force(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    add_images(segmentation, [7, 8], n_ready=2)
    work_off(worker)
    assert {_versions(segmentation)[image_id] for image_id in (7, 8)} == {1}


def test_start__of_a_second_worker_takes_the_head_as_it_is(segmentation: ToySession) -> None:
    first = segmentation.worker()
    segmentation.click_halves(1, 2)
    work_off(first)
    before, maps = segmentation.info().head_version, segmentation.map_bytes(1)
    second = segmentation.worker()
    assert second.keeper.version == before
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 1)
    work_off(second)
    assert segmentation.info().head_version == before
    assert segmentation.map_bytes(1) == maps


def test_start__learns_what_was_labelled_while_no_service_ran(segmentation: ToySession) -> None:
    segmentation.click_halves(1)
    worker = segmentation.worker()
    work_off(worker)
    assert segmentation.prediction(1) is not None


def test_step__live_head_is_saved_in_idle_time_with_its_held_out_quality(classification: ToySession) -> None:
    worker = classification.worker(live_checkpoints_kept=2)
    for count in range(4):
        classification.label_rightly(range(10 * count + 1, 10 * count + 11))
        work_off(worker)
    with classification.db.read() as db_session:
        checkpoints = db_session.scalars(select(Checkpoint).order_by(Checkpoint.id)).all()
        n_validation = db_session.scalar(select(func.count()).where(Image.split == "validation"))
    assert len(checkpoints) == 2
    metrics = checkpoints[-1].metrics
    assert checkpoints[-1].kind is CheckpointKind.LIVE
    assert metrics["n_val"] == n_validation
    assert metrics["held_out_accuracy"] > 0.9
    folder = classification.folder / "checkpoints"
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert len(files) == 4
    assert {f"{checkpoint.dataset_hash}.json.z" for checkpoint in checkpoints} <= {
        path.name for path in (folder / "data").iterdir()
    }


def test_step__live_head_without_validation_images_has_no_quality(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    segmentation.hold_out()
    work_off(worker)
    with segmentation.db.read() as db_session:
        checkpoint = db_session.scalars(select(Checkpoint)).one()
    assert checkpoint.metrics["held_out"] is None


def test_step__activated_checkpoint_predicts_until_the_next_annotation(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    first_map = segmentation.map_bytes(1)
    segmentation.click(1, (12, 21, RIGHT), (52, 21, LEFT))
    work_off(worker)
    with segmentation.db.write() as db_session:
        activate(db_session, 1)
    work_off(worker)
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.version, prediction.annotation_revision) == (1, 3, 1)
    assert segmentation.map_bytes(1) == first_map
    segmentation.click_halves(2)
    work_off(worker)
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.version, prediction.annotation_revision) == (None, 4, 2)
    with segmentation.db.read() as db_session:
        assert db_session.scalar(select(func.count()).where(Checkpoint.active)) == 0


def test_step__activation_after_an_annotation_outlives_its_queued_refit(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    segmentation.click_halves(2)
    with segmentation.db.write() as db_session:
        activate(db_session, 1)
    work_off(worker)
    prediction = segmentation.prediction(2)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.annotation_revision) == (1, 0)


def test_step__unusable_checkpoint_gives_way_to_the_live_head(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    for path in (segmentation.folder / "checkpoints").glob("live-1-*.safetensors"):
        path.write_bytes(b"damaged")
    with segmentation.db.write() as db_session:
        activate(db_session, 1)
    work_off(worker)
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert prediction.checkpoint_id is None
    assert prediction.version == segmentation.info().head_version
    with segmentation.db.read() as db_session:
        event = db_session.scalars(select(Event).where(Event.kind == "job")).one()
    assert "damaged" in event.payload["error"]


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


def test_tick_if_due__shows_life_and_close_takes_leave(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.read() as db_session:
        age_s = heartbeat_age_s(db_session)
        assert age_s is not None
        assert age_s < 5
    worker.close()
    with segmentation.db.read() as db_session:
        assert heartbeat_age_s(db_session) is None


def test_tick_if_due__job_of_a_dead_worker_is_taken_over(segmentation: ToySession) -> None:
    segmentation.click_halves(1)
    with segmentation.db.write() as db_session:
        job = claim_job(db_session, "dead")
        assert job is not None
        job.heartbeat_at = utc_now() - dt.timedelta(seconds=60)
        db_session.add(Worker(id="dead", pid=1, host="gone", heartbeat_at=utc_now() - dt.timedelta(seconds=60)))
    worker = segmentation.worker()
    work_off(worker)
    (job,) = segmentation.jobs()
    assert (job.state, job.attempts, job.worker_id) == (JobState.DONE, 2, worker.worker_id)
    with segmentation.db.read() as db_session:
        assert [row.id for row in db_session.scalars(select(Worker))] == [worker.worker_id]


def test_tick_if_due__run_that_killed_its_workers_fails(segmentation: ToySession) -> None:
    with segmentation.db.write() as db_session:
        request_run(db_session)
        job = claim_job(db_session, "dead")
        start_next_run(db_session)
        assert job is not None
        job.attempts = MAX_ATTEMPTS
        job.heartbeat_at = utc_now() - dt.timedelta(seconds=60)
    segmentation.worker()
    run = segmentation.run(1)
    assert run.state is RunState.FAILED
    assert "3 workers" in run.message


def test_step__result_of_a_lost_job_is_dropped(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    context_sync = worker.keeper._context.training_set.sync

    def sync_late(db_session: object) -> None:
        with segmentation.db.write() as other:
            other.execute(update(type(segmentation.jobs()[0])).values(worker_id="thief"))
        context_sync(db_session)  # type: ignore[arg-type]

    worker.keeper._context.training_set.sync = sync_late  # type: ignore[method-assign]
    worker.step()
    assert segmentation.info().head_version == 0
    assert segmentation.prediction(1) is None
    with segmentation.db.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(Run)) == 0


def test_step__run_of_a_lost_job_is_not_begun(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.write() as db_session:
        run_id = request_run(db_session).id
    do = worker._do

    def do_late(job: Job) -> None:
        with segmentation.db.write() as other:
            other.execute(update(Job).values(worker_id="thief"))
        do(job)

    worker._do = do_late  # type: ignore[method-assign]
    assert worker.step()
    assert segmentation.run(run_id).state is RunState.QUEUED


def test_step__only_the_worker_that_published_a_head_saves_it(segmentation: ToySession) -> None:
    first, second = (segmentation.worker(live_checkpoint_delay_s=3600.0) for _ in range(2))
    segmentation.click_halves(1)
    first.step()
    segmentation.click_halves(2)
    second.step()
    first.keeper.ensure_current()
    assert first.keeper.version == second.keeper.version == 2
    assert (first.keeper._unsaved_since is None, second.keeper._unsaved_since is None) == (True, False)


def test_step__a_live_checkpoint_never_changes_a_file_of_another_save(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    folder = segmentation.folder / "checkpoints"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("live-*")}
    model = worker.keeper.model
    assert model is not None
    context = worker.keeper._context
    save_live_checkpoint(context, model, None, context.training_set.images, context.training_set.sequence)
    assert len(before) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(folder.glob("live-*"))) == 4


def test_step__checkpoint_activated_during_a_refit_stays(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    segmentation.click_halves(2)
    keeper = worker.keeper
    fit = keeper._fit

    def fit_slowly(extracted_weight: float) -> object:
        if segmentation.info().head_version == 1:
            with segmentation.db.write() as db_session:
                activate(db_session, 1)
        return fit(extracted_weight)

    keeper._fit = fit_slowly  # type: ignore[method-assign, assignment]
    work_off(worker)
    prediction = segmentation.prediction(2)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.version) == (1, 2)


def test_step__two_workers_share_the_work(segmentation: ToySession) -> None:
    first, second = segmentation.worker(), segmentation.worker()
    for image_id in range(1, 7):
        segmentation.click_halves(image_id)
        (first if image_id % 2 else second).step()
        second.step()
        first.step()
    work_off(first)
    work_off(second)
    assert [job.state for job in segmentation.jobs()] == [JobState.DONE] * 6
    assert segmentation.info().head_version == 6
    assert set(_versions(segmentation).values()) == {6}
    assert first.keeper.version == second.keeper.version == 6


def _work_through_rests(worker: object, session: ToySession, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        work_off(worker)  # type: ignore[arg-type]
        info = session.info()
        if info.head_label_sequence == info.label_sequence:
            return
        time.sleep(0.02)
    raise AssertionError("the head stays behind the annotations")


def test_step__full_disk_during_a_refit_delays_it(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    failures = [OSError(28, "No space left on device", str(segmentation.folder / "a.npy"))]

    def write_map_late(*arguments: object) -> str:
        if failures:
            raise failures.pop()
        return write_map(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("ml_service.inference.write_map", write_map_late)
    revision = segmentation.click(1, (12.0, 20.0, LEFT), (52.0, 20.0, RIGHT), (13.0, 30.0, LEFT))
    caplog.clear()
    _work_through_rests(worker, segmentation)
    prediction = segmentation.prediction(1)
    assert prediction is not None
    assert prediction.annotation_revision == revision
    assert [(job.state, job.attempts) for job in segmentation.jobs()] == [(JobState.DONE, 1)] * 2
    assert [record.exc_info for record in caplog.records if "No space" in record.message] == [None]


def test_tick_if_due__head_behind_without_a_job_is_refitted(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    with segmentation.db.write() as db_session:
        db_session.query(Job).delete()
    _work_through_rests(worker, segmentation)
    assert segmentation.prediction(1) is not None


def _damage(session: ToySession, image_id: int, damage: str) -> None:
    path = FeatureStore(session.folder, EXTRACTOR).patches_path(content_hash(image_id))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "wrong shape":
        np.save(path, np.zeros((6, 8, 5), np.float16))
    else:
        np.save(path, np.full((6, 8, EXTRACTOR.dim), np.inf, np.float16))


@pytest.mark.parametrize("damage", ["truncated", "empty", "wrong shape", "infinite"])
def test_step__damaged_features_fail_alone(segmentation: ToySession, damage: str) -> None:
    _damage(segmentation, 2, damage)  # in the scaler's sample, then labelled
    worker = segmentation.worker()
    segmentation.click_halves(1)
    worker.step()
    _damage(segmentation, 5, damage)  # swept
    segmentation.click_halves(2, 3)
    work_off(worker)
    assert all(job.state is JobState.DONE for job in segmentation.jobs())
    prediction = segmentation.prediction(3)
    assert prediction is not None
    assert prediction.annotation_revision == 1
    with segmentation.db.read() as db_session:
        failures = {row.id: row.failure for row in db_session.query(Image).where(Image.features == FeatureState.FAILED)}
    assert sorted(failures) == [2, 5]
    assert not any(str(segmentation.folder) in failure for failure in failures.values() if failure)
    segmentation.worker()
