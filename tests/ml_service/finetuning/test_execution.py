"""Runs that fine-tune, by a real service and the process that it starts, beside the answers to clicks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, select, text

from db.enums import CheckpointKind, FeatureState, JobKind, JobState, RunKind, RunState
from db.queries.annotations import replace_points
from db.queries.runs import request_run, request_stop, start_next_run, transition
from db.tables.images import Image
from db.tables.learning import Checkpoint, Run, RunEpoch
from db.tables.processes import Event, Job
from ml_service.errors import ExtractorChangedError
from ml_service.finetuning import execution
from ml_service.finetuning.adoption import adopt
from ml_service.finetuning.plan import Plan
from ml_service.finetuning.state_file import load_state
from ml_service.predictors.base import Model
from ml_service.session_leftovers import WORK_FOLDER
from ml_service.worker import Worker
from models.adapter_files import read_adapter
from models.base import ExtractorInfo
from models.prediction_store import read_map
from tests.ml_service.finetuning.striped_session import (
    ACROSS,
    ALONG,
    StripedSession,
    extracting,
    has_ended,
    is_left_along,
    work_until,
)

Striped = Callable[..., StripedSession]
FULL = 2
"""`PRAGMA synchronous`"""


def epochs(session: StripedSession, run_id: int) -> list[RunEpoch]:
    with session.db.read() as db_session:
        return list(db_session.scalars(select(RunEpoch).where(RunEpoch.run_id == run_id).order_by(RunEpoch.epoch)))


def states_of(session: StripedSession, run_id: int) -> list[str]:
    """As the listeners were told them, repetitions left out."""
    with session.db.read() as db_session:
        rows = db_session.scalars(select(Event.payload).where(Event.kind == "training").order_by(Event.id))
        told = [payload["state"] for payload in rows if payload.get("run_id") == run_id]
    return [state for place, state in enumerate(told) if place == 0 or told[place - 1] != state]


def all_predicted(session: StripedSession) -> bool:
    versions = [prediction.version for prediction in session.predictions()]
    return versions == [session.info().head_version] * 24


def share_right(session: StripedSession, image_id: int) -> float:
    """Of the cells of a map, those beside the border between the halves left out."""
    prediction = next(each for each in session.predictions() if each.image_id == image_id)
    assert prediction.map_path is not None
    said = np.array(prediction.class_ids)[read_map(session.folder, prediction.map_path).argmax(axis=0)]
    left = ALONG if is_left_along(image_id) else ACROSS
    return float(np.mean([said[:, :3] == left, said[:, -3:] == ALONG + ACROSS - left]))


def test_execute__whole_life_of_a_fine_tuned_extractor(striped: Striped) -> None:
    """Start, a click in between, the service stops, another goes on, early stop; adopt, features anew, predictions."""
    session = striped()
    session.tune(max_epochs=300, patience=3)
    first = session.worker()
    run_id = session.start_run()
    clicked = False
    work = session.folder / WORK_FOLDER / f"run-{run_id}"
    is_stopping = first.is_stopping

    def meddle() -> bool:
        """Called by the run between two looks: a click after the first epoch, then the end of the service."""
        nonlocal clicked
        done = len(epochs(session, run_id))
        if done >= 1 and not clicked:
            clicked = True
            session.click(3)
        if done >= 2 and session.info().head_label_sequence == session.info().label_sequence:
            first.stop()
        return is_stopping()

    first.is_stopping = meddle  # type: ignore[method-assign]
    work_until(first, lambda: session.run(run_id).state is RunState.QUEUED and first._stopping.is_set())
    first.close()
    # The click was answered while the run was suspended.
    assert states_of(session, run_id)[:4] == ["QUEUED", "RUNNING", "SUSPENDED", "RUNNING"]
    assert session.info().head_label_sequence == session.info().label_sequence
    kept = load_state(work)
    assert kept is not None
    assert Plan.read(work).extractor == ExtractorInfo.from_json(session.info().extractor)

    second = session.worker()
    work_until(second, lambda: has_ended(session, run_id))
    run = session.run(run_id)
    assert (run.kind, run.state, run.reason) == (RunKind.FINETUNE, RunState.FINISHED, "early_stop")
    learned = epochs(session, run_id)
    assert [epoch.epoch for epoch in learned] == list(range(1, run.epoch + 1))
    # What the first service had learned was not learned again.
    assert [[e.train_loss, e.val_loss] for e in learned[: kept[1]["epoch"]]] == kept[1]["history"]
    assert run.best_epoch == min(learned, key=lambda epoch: epoch.val_loss or 0).epoch
    assert "The fine-tuned features are better" in run.message
    assert run.metrics["better"]
    assert run.metrics["held_out"]["loss"] < run.metrics["frozen"]["loss"]
    assert not work.exists()
    with session.db.read() as db_session:
        adapter = db_session.scalars(select(Checkpoint).where(Checkpoint.kind == CheckpointKind.ADAPTER)).one()
        assert adapter.run_id == run_id
    provenance = read_adapter(session.folder / adapter.path).description.provenance
    assert provenance["run_id"] == run_id
    assert provenance["dataset_hash"] == adapter.dataset_hash
    assert provenance["finetune"]["best_epoch"] == run.best_epoch

    base = ExtractorInfo.from_json(session.info().extractor)
    stored = {path: path.stat().st_mtime_ns for path in session.folder.glob("features/*/*/*.npy")}
    tuned = adopt(session.db, session.folder, adapter.id, image_id=5)
    assert ExtractorInfo.from_json(session.info().extractor) == tuned
    assert tuned.name == base.name + "-lora"
    with pytest.raises(ExtractorChangedError):
        work_until(second, lambda: False, limit_s=5)
    second.close()
    with session.db.read() as db_session:
        order = list(db_session.scalars(select(Image.id).order_by(Image.feature_priority.desc(), Image.id)))
        assert order[0] == 5
        assert order[-2:] == [23, 24]  # those without labels come last
    third = session.worker()
    with extracting(session):
        work_until(third, lambda: session.states() == {FeatureState.READY} and all_predicted(session))
    third.close()
    assert {path: path.stat().st_mtime_ns for path in stored} == stored  # for the way back
    for image_id in (23, 24):  # which nobody has labelled
        assert share_right(session, image_id) > 0.9


def note_removals(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The folders that are removed from now on, and how far the commit before waited for the disk."""
    levels: list[int] = []
    removals: list[tuple[str, int]] = []

    def note_commit(connection: Any) -> None:
        levels.append(int(connection.scalar(text("PRAGMA synchronous"))))

    def remove(folder: Path, **_options: Any) -> None:
        if folder.is_dir():
            removals.append((folder.name, levels[-1]))
            remove_really(folder)

    event.listen(worker.keeper._context.db.engine, "commit", note_commit)
    remove_really = execution.shutil.rmtree
    monkeypatch.setattr(execution.shutil, "rmtree", remove)
    return removals


def test_execute__stop_ends_it_at_once_wherever_it_is(striped: Striped, monkeypatch: pytest.MonkeyPatch) -> None:
    session = striped()
    worker = session.worker()
    run_id = session.start_run()
    (session.folder / WORK_FOLDER / "run-999").mkdir(parents=True)
    os.utime(session.folder / WORK_FOLDER / "run-999", (0, 0))
    removals = note_removals(worker, monkeypatch)
    is_stopping, asked_at = worker.is_stopping, 0.0

    def stop_at_once() -> bool:
        nonlocal asked_at
        if not asked_at and (session.folder / WORK_FOLDER / f"run-{run_id}").is_dir():
            asked_at = time.monotonic()
            with session.db.write() as db_session:
                request_stop(db_session)
        return is_stopping()

    worker.is_stopping = stop_at_once  # type: ignore[method-assign]
    work_until(worker, lambda: has_ended(session, run_id))
    run = session.run(run_id)
    assert (run.state, run.reason) == (RunState.FINISHED, "stopped")
    assert "it was stopped before the frozen features were measured" in run.message
    assert not (session.folder / WORK_FOLDER / f"run-{run_id}").exists()
    assert [name.split(".")[:2] for name, _level in removals] == [["", "run-999"], [f"run-{run_id}"]]
    assert removals[-1][1] == FULL
    worker.close()


def test_execute__a_click_waits_for_no_other_chunk_of_the_background(striped: Striped) -> None:
    session = striped()
    worker = session.worker(sweep_threads=2)
    run_id = session.start_run()
    sweep, told = worker._sweep, []
    predict, predict_rest, serve = sweep._predict, sweep._predict_rest, worker.serve_urgent_jobs

    def click_meanwhile(*values: Any, **options: Any) -> Any:
        """By a helper: a person clicks while the first chunk is predicted."""
        if threading.current_thread().name.startswith("sweep") and "click" not in told:
            told.append("click")
            session.click(3)
        return predict(*values, **options)

    def note_chunk(model: Model, most_at_once: int) -> bool:
        told.append("chunk")
        return predict_rest(model, most_at_once)

    def answer_and_stop() -> None:
        told.append("answer")
        serve()
        with session.db.write() as db_session:
            request_stop(db_session)

    sweep._predict, sweep._predict_rest = click_meanwhile, note_chunk  # type: ignore[method-assign]
    worker.serve_urgent_jobs = answer_and_stop  # type: ignore[method-assign]
    work_until(worker, lambda: has_ended(session, run_id))
    assert told[told.index("click") + 1] == "answer"
    assert session.info().head_label_sequence == session.info().label_sequence
    worker.close()


def test_execute__killed_process_fails_the_run_and_the_service_lives_on(
    striped: Striped, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = striped()
    worker = session.worker()
    run_id = session.start_run()

    class Doomed(execution.Child):
        def __enter__(self) -> Doomed:
            os.kill(self.pid, signal.SIGKILL)
            return self

    monkeypatch.setattr(execution, "Child", Doomed)
    work_until(worker, lambda: has_ended(session, run_id))
    run = session.run(run_id)
    assert run.state is RunState.FAILED
    assert "ended with status -9" in run.message
    # It is removed only when its end is on the disk.
    assert (session.folder / WORK_FOLDER / f"run-{run_id}").is_dir()
    session.click(3)
    work_until(worker, lambda: session.info().head_label_sequence == session.info().label_sequence)
    worker.close()


@pytest.mark.parametrize(
    ("unlabelled", "told"),
    [(range(1, 23), "at least 2 classes"), ((5, 8, 9, 12, 13, 16, 17, 20, 21), "validation images")],
)
def test_execute__too_few_labels_are_told(striped: Striped, unlabelled: range, told: str) -> None:
    session = striped()
    with session.db.write() as db_session:
        for image_id in unlabelled:
            replace_points(db_session, db_session.get_one(Image, image_id), [])
    worker = session.worker()
    run_id = session.start_run()
    work_until(worker, lambda: has_ended(session, run_id))
    run = session.run(run_id)
    assert run.state is RunState.FAILED
    assert told in run.message
    worker.close()


def test_start_next_run__kinds_do_not_supersede_each_other(striped: Striped) -> None:
    session = striped()
    with session.db.write() as db_session:
        runs = [request_run(db_session, None, kind).id for kind in (RunKind.FINETUNE, RunKind.HEAD, RunKind.FINETUNE)]
        assert runs[0] == runs[2] != runs[1]
        jobs = select(Job).where(Job.kind == JobKind.TRAIN).order_by(Job.id)
        job = db_session.scalars(jobs).one()
        job.state = JobState.RUNNING
        started = start_next_run(db_session)
        assert started is not None
        assert started.id == runs[0]
        # A job for the other kind waits behind this one.
        assert [job.state for job in db_session.scalars(jobs)] == [JobState.RUNNING, JobState.QUEUED]
        transition(db_session, started, RunState.FINISHED, reason="stopped")
        following = start_next_run(db_session)
        assert following is not None
        assert following.id == runs[1]
        assert db_session.get_one(Run, runs[1]).kind is RunKind.HEAD
