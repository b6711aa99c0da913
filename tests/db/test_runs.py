from __future__ import annotations

import pytest
from sqlalchemy import select

from db.database import Database
from db.enums import RunKind, RunState
from db.queries.jobs import claim_job, finish_job, requeue_job
from db.queries.runs import (
    TRANSITIONS,
    TransitionError,
    current_run,
    ended_run_ids,
    record_epochs,
    record_segments,
    recover_runs,
    request_run,
    request_stop,
    rewind_run,
    run_epochs,
    start_next_run,
    transition,
)
from db.tables.learning import Run, RunEpoch
from db.tables.processes import Event


def _details(state: RunState) -> dict[str, str]:
    return {"reason": "stopped"} if state is RunState.FINISHED else {"message": "why"}


@pytest.mark.parametrize("before", RunState)
@pytest.mark.parametrize("after", RunState)
def test_transition__follows_the_table(db: Database, before: RunState, after: RunState) -> None:
    with db.write() as db_session:
        run = Run(state=before)
        db_session.add(run)
        db_session.flush()
        if after in TRANSITIONS[before]:
            transition(db_session, run, after, **_details(after))
            assert run.state is after
        else:
            with pytest.raises(TransitionError, match=f"is {before.value} and cannot become {after.value}"):
                transition(db_session, run, after, **_details(after))
            assert run.state is before


def test_transition__failed_needs_a_message_and_finished_a_reason(db: Database) -> None:
    with db.write() as db_session:
        run = Run(state=RunState.RUNNING)
        db_session.add(run)
        db_session.flush()
        with pytest.raises(ValueError, match="needs a message"):
            transition(db_session, run, RunState.FAILED)
        with pytest.raises(ValueError, match="reason"):
            transition(db_session, run, RunState.FINISHED)


def test_transition__is_announced(db: Database) -> None:
    with db.write() as db_session:
        request_run(db_session)
        start_next_run(db_session)
    with db.read() as db_session:
        states = [event.payload["state"] for event in db_session.scalars(select(Event).order_by(Event.id))]
    assert states == ["QUEUED", "RUNNING"]


def test_request_run__save_during_a_run_queues_the_next(db: Database) -> None:
    with db.write() as db_session:
        first = request_run(db_session)
        assert request_run(db_session).id == first.id
        job = claim_job(db_session, "a")
        assert job is not None
        assert start_next_run(db_session) is first
        second = request_run(db_session)
        assert second.id != first.id
        transition(db_session, first, RunState.FINISHED, reason="early_stop")
        finish_job(db_session, job.id, "a")
        assert claim_job(db_session, "a") is not None
        assert start_next_run(db_session) is second


def test_request_stop__ends_what_waits_and_flags_what_runs(db: Database) -> None:
    with db.write() as db_session:
        request_run(db_session)
        at_work = start_next_run(db_session)
        waiting = request_run(db_session)
        assert [run.id for run in request_stop(db_session)] == [1, 2]
        assert at_work is not None
        assert at_work.stop_requested
        assert (waiting.state, waiting.reason) == (RunState.FINISHED, "stopped")


def test_start_next_run__older_ones_are_superseded(db: Database) -> None:
    with db.write() as db_session:
        old, new = Run(), Run()
        db_session.add_all([old, new])
        db_session.flush()
        assert start_next_run(db_session) is new
        assert (old.state, old.reason) == (RunState.FINISHED, "superseded")
        assert start_next_run(db_session) is None


def test_start_next_run__what_was_begun_is_never_superseded(db: Database) -> None:
    with db.write() as db_session:
        first = request_run(db_session, kind=RunKind.FINETUNE)
        assert claim_job(db_session, "a") is not None
        assert start_next_run(db_session) is first
        second = request_run(db_session, kind=RunKind.FINETUNE)
        transition(db_session, first, RunState.QUEUED)  # the service stopped
        assert request_run(db_session, kind=RunKind.FINETUNE) is second
        assert start_next_run(db_session) is first
        transition(db_session, first, RunState.QUEUED)
        third = Run(kind=RunKind.FINETUNE)
        db_session.add(third)
        db_session.flush()
        assert start_next_run(db_session) is first
        transition(db_session, first, RunState.FINISHED, reason="max_epochs")
        assert start_next_run(db_session) is third
        assert (second.state, second.reason) == (RunState.FINISHED, "superseded")


def test_request_run__after_one_that_waits_to_go_on(db: Database) -> None:
    with db.write() as db_session:
        first = request_run(db_session)
        assert start_next_run(db_session) is first
        transition(db_session, first, RunState.QUEUED)
        second = request_run(db_session)
        assert second is not first
        request_stop(db_session)
        assert (first.message, second.message) == ("Stopped before it went on.", "Stopped before it began.")


def test_recover_runs__keeps_what_was_recorded_or_obeys_a_stop(db: Database) -> None:
    with db.write() as db_session:
        request_run(db_session)
        job = claim_job(db_session, "a")
        run = start_next_run(db_session)
        assert job is not None
        assert run is not None
        record_epochs(db_session, run, [RunEpoch(run_id=run.id, epoch=1, train_loss=0.5)])
        assert recover_runs(db_session) == []
        requeue_job(db_session, job, count_attempt=True)
        db_session.flush()
        assert recover_runs(db_session) == [run]
        assert (run.state, run.epoch, len(run_epochs(db_session, run.id))) == (RunState.QUEUED, 1, 1)
        job = claim_job(db_session, "a")
        start_next_run(db_session)
        request_stop(db_session)
        assert job is not None
        requeue_job(db_session, job, count_attempt=True)
        db_session.flush()
        recover_runs(db_session)
        assert (run.state, run.reason) == (RunState.FINISHED, "stopped")


def test_recover_runs__a_run_without_a_job_gets_one(db: Database) -> None:
    with db.write() as db_session:
        run = request_run(db_session)
        job = claim_job(db_session, "worker")
        assert job is not None
        start_next_run(db_session)
        finish_job(db_session, job.id, "worker")
    with db.write() as db_session:
        assert [found.id for found in recover_runs(db_session)] == [run.id]
        assert claim_job(db_session, "other") is not None


def test_rewind_run__forgets_what_came_after(db: Database) -> None:
    with db.write() as db_session:
        run = request_run(db_session)
        start_next_run(db_session)
        record_epochs(db_session, run, [RunEpoch(run_id=run.id, epoch=n, train_loss=0.5) for n in range(1, 6)])
        run.best_epoch = 4
        record_segments(run, [{"after_epoch": 0}])
        rewind_run(db_session, run, 4)
        assert [row.epoch for row in run_epochs(db_session, run.id)] == [1, 2, 3, 4]
        assert (run.epoch, run.best_epoch, run.metrics) == (4, 4, {"segments": [{"after_epoch": 0}]})
        rewind_run(db_session, run, 0)
        assert (run.epoch, run.best_epoch, run.metrics, run_epochs(db_session, run.id)) == (0, None, {}, [])


def test_ended_run_ids__unknown_ones_count(db: Database) -> None:
    with db.write() as db_session:
        run = request_run(db_session)
        assert ended_run_ids(db_session, [run.id, 77]) == [77]
        request_stop(db_session)
        assert ended_run_ids(db_session, [run.id, 77]) == [run.id, 77]


def test_current_run__the_one_at_work_before_one_that_waits(db: Database) -> None:
    with db.write() as db_session:
        assert current_run(db_session) is None
        request_run(db_session)
        first = start_next_run(db_session)
        request_run(db_session)
        assert current_run(db_session) is first
