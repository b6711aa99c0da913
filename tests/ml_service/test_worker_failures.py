"""What goes wrong fails alone, and is done again where that helps."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.enums import FeatureState, JobState
from db.tables.images import Image
from db.tables.processes import Event, Job
from db.tasks import Task
from models.feature_store import FeatureStore
from models.prediction_store import write_map
from tests.ml_service.toy_session import (
    EXTRACTOR,
    LEFT,
    RIGHT,
    ToySession,
    content_hash,
    make_ready,
    make_session,
    work_off,
)


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
    versions = segmentation.predicted_versions()
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
