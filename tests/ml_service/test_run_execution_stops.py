"""Runs that are stopped, put back, taken over or begun anew."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlalchemy import select

from db.enums import JobState, RunState
from db.queries.checkpoints import active_checkpoint
from db.tables.learning import Checkpoint
from tests.ml_service.runs import epochs_of, interrupt_at, leave_run, save, states_told, stop_run
from tests.ml_service.toy_session import ToySession, work_off


def test_execute__suspends_at_the_prediction_interval(labelled: ToySession) -> None:
    worker = labelled.worker()
    work_off(worker)
    run_id = save(labelled)
    work_off(worker)
    states = states_told(labelled, run_id)
    assert states == ["QUEUED", "RUNNING", *["SUSPENDED", "RUNNING"] * 4, "FINISHED"]


def test_execute__stop_ends_at_the_next_batch_and_keeps_the_best(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    interrupt_at(monkeypatch, worker, 14, lambda: stop_run(labelled))
    run_id = save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason) == (RunState.FINISHED, "stopped")
    assert run.epoch in (4, 5)
    with labelled.db.read() as db_session:
        assert db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()


def test_execute__save_during_a_run_gets_a_run_of_its_own(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    later: list[int] = []
    interrupt_at(monkeypatch, worker, 5, lambda: later.append(save(labelled)))
    first = save(labelled)
    work_off(worker)
    assert later == [first + 1]
    assert [labelled.run(run_id).state for run_id in (first, first + 1)] == [RunState.FINISHED] * 2


def test_execute__service_stopping_puts_the_run_back(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = labelled.worker()
    interrupt_at(monkeypatch, worker, 5, worker.stop)
    run_id = save(labelled)
    worker.step()
    run = labelled.run(run_id)
    job = labelled.jobs()[-1]
    assert (run.state, job.state, job.attempts) == (RunState.QUEUED, JobState.QUEUED, 0)
    worker.close()
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert (run.state, run.epoch) == (RunState.FINISHED, 40)
    assert len(epochs_of(labelled, run_id)) == 40


def test_execute__a_restarted_run_keeps_the_checkpoints_there_are(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    work_off(worker)
    first = save(labelled)
    work_off(worker)
    with labelled.db.read() as db_session:
        before = {checkpoint.id: checkpoint.path for checkpoint in db_session.scalars(select(Checkpoint))}
    second = leave_run(labelled, monkeypatch, 5)
    assert labelled.run(second).state is RunState.QUEUED
    with labelled.db.read() as db_session:
        after = {checkpoint.id: checkpoint.path for checkpoint in db_session.scalars(select(Checkpoint))}
    assert after == before
    assert all((labelled.folder / path).is_file() for path in after.values())
    assert labelled.run(first).state is RunState.FINISHED


def test_execute__stop_while_the_labels_are_read(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled.tune(head="conv")
    worker = labelled.worker()
    work_off(worker)
    interrupt_at(monkeypatch, worker, 4, lambda: stop_run(labelled))
    run_id = save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason, run.epoch) == (RunState.FINISHED, "stopped", 0)
    assert run.message == "The live head goes on predicting: this run was stopped before its first epoch."


def test_execute__a_stopped_run_names_the_checkpoint_that_predicts(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    save(labelled)
    work_off(worker)
    with labelled.db.read() as db_session:
        active = active_checkpoint(db_session)
    assert active is not None
    interrupt_at(monkeypatch, worker, 4, lambda: stop_run(labelled))
    run_id = save(labelled)
    work_off(worker)
    assert labelled.run(run_id).reason == "stopped"
    said = f"Checkpoint {active.id} goes on predicting until the next label changes"
    assert labelled.run(run_id).message.startswith(said)
    with labelled.db.read() as db_session:
        now = active_checkpoint(db_session)
    assert now is not None
    assert now.id == active.id


@pytest.mark.parametrize("head", ["linear", "conv", "mlp"])
def test_execute__handed_from_service_to_service_equals_an_unbroken_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    labelled.tune(head=head, max_epochs=20, early_stop_patience=100)
    generator = np.random.default_rng(5)
    broken = save(labelled)
    for _ in range(3):
        worker = labelled.worker()
        interrupt_at(monkeypatch, worker, int(generator.integers(4, 16)), worker.stop)
        worker.step()
        worker.close()
        assert labelled.run(broken).state is RunState.QUEUED
    worker = labelled.worker()
    work_off(worker)
    unbroken = save(labelled)
    work_off(worker)
    assert labelled.run(broken).epoch == 20
    assert epochs_of(labelled, broken) == epochs_of(labelled, unbroken)
    assert labelled.run(broken).best_epoch == labelled.run(unbroken).best_epoch
    assert not list((labelled.folder / "runs").iterdir())


def test_execute__run_that_was_left_begins_anew_with_another_extractor(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = leave_run(labelled, monkeypatch, 30)
    assert labelled.run(run_id).epoch > 5
    path = labelled.folder / "runs" / f"run-{run_id}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"extractor": content["extractor"] | {"weights_hash": "another"}}))
    worker = labelled.worker()
    interrupt_at(monkeypatch, worker, 6, worker.stop)
    worker.step()
    assert labelled.run(run_id).epoch < 5
    worker.close()
