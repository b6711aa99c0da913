"""What a worker saves, and which head predicts."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from db.enums import CheckpointKind
from db.queries.checkpoints import activate
from db.tables.images import Image
from db.tables.learning import Checkpoint
from db.tables.processes import Event
from ml_service import live_checkpoint
from ml_service.checkpoint import save_checkpoint
from ml_service.live_checkpoint import save_live_checkpoint
from tests.ml_service.toy_session import (
    LEFT,
    RIGHT,
    ToySession,
    work_off,
)


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


def test_step__only_the_worker_that_published_a_head_saves_it(segmentation: ToySession) -> None:
    first, second = (segmentation.worker(live_checkpoint_delay_s=3600.0) for _ in range(2))
    segmentation.click_halves(1)
    first.step()
    segmentation.click_halves(2)
    second.step()
    first.keeper.ensure_current()
    assert first.keeper.version == second.keeper.version == 2
    assert (first.keeper._saver.unsaved_since is None, second.keeper._saver.unsaved_since is None) == (True, False)


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
