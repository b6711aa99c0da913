from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from db.database import DATABASE_FILE_NAME, Database
from db.models import Base, Event, Job, JobKind, JobState, Run, RunEpoch, RunState
from db.queries.jobs import claim_job, finish_job, requeue_job
from db.queries.runs import (
    AT_WORK,
    ENDED,
    TRANSITIONS,
    TransitionError,
    current_run,
    record_epochs,
    recover_runs,
    request_run,
    request_stop,
    run_epochs,
    runs_at_work,
    start_next_run,
    transition,
)


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


def test_recover_runs__starts_again_without_old_losses_or_obeys_a_stop(db: Database) -> None:
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
        assert (run.state, run.epoch, run_epochs(db_session, run.id)) == (RunState.QUEUED, 0, [])
        job = claim_job(db_session, "a")
        start_next_run(db_session)
        request_stop(db_session)
        assert job is not None
        requeue_job(db_session, job, count_attempt=True)
        db_session.flush()
        recover_runs(db_session)
        assert (run.state, run.reason) == (RunState.FINISHED, "stopped")


def test_current_run__the_one_at_work_before_one_that_waits(db: Database) -> None:
    with db.write() as db_session:
        assert current_run(db_session) is None
        request_run(db_session)
        first = start_next_run(db_session)
        request_run(db_session)
        assert current_run(db_session) is first


class RunMachine(RuleBasedStateMachine):
    """Save, Stop, work, crash in any order: no request is lost, and nothing runs twice at once."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database(f"sqlite:///{Path(self.folder.name) / DATABASE_FILE_NAME}")
        Base.metadata.create_all(self.db.engine)
        self.job_id: int | None = None
        self.owed = False
        """A Save whose labels no finished or coming run has seen."""

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()
            self.folder.cleanup()

    @rule()
    def save(self) -> None:
        with self.db.write() as db_session:
            request_run(db_session)
        self.owed = True

    @rule()
    def stop(self) -> None:
        with self.db.write() as db_session:
            request_stop(db_session)
        self.owed = False

    @precondition(lambda self: self.job_id is None)
    @rule()
    def claim(self) -> None:
        with self.db.write() as db_session:
            job = claim_job(db_session, "a", [JobKind.TRAIN])
            if job is None:
                assert not self.owed
                return
            if start_next_run(db_session) is None:
                assert not self.owed
                finish_job(db_session, job.id, "a")
            else:
                self.job_id = job.id
                self.owed = False

    @precondition(lambda self: self.job_id is not None)
    @rule(state=st.sampled_from(sorted(RunState)))
    def move(self, state: RunState) -> None:
        with self.db.write() as db_session:
            (run,) = runs_at_work(db_session)
            if state is RunState.QUEUED or state not in TRANSITIONS[run.state]:
                return
            transition(db_session, run, state, **_details(state))
            if state in ENDED:
                assert self.job_id is not None
                finish_job(db_session, self.job_id, "a")
                self.job_id = None

    @precondition(lambda self: self.job_id is not None)
    @rule()
    def crash(self) -> None:
        with self.db.write() as db_session:
            job = db_session.get_one(Job, self.job_id)
            requeue_job(db_session, job, count_attempt=False)
            db_session.flush()
            (run,) = recover_runs(db_session)
            self.owed |= run.state is RunState.QUEUED
        self.job_id = None

    @invariant()
    def at_most_one_at_work_and_every_waiting_run_has_a_job(self) -> None:
        with self.db.read() as db_session:
            at_work = db_session.scalars(select(Run).where(Run.state.in_(AT_WORK))).all()
            assert len(at_work) == (self.job_id is not None)
            waiting = db_session.scalars(select(Run).where(Run.state == RunState.QUEUED)).all()
            jobs = db_session.scalars(select(Job).where(Job.state == JobState.QUEUED)).all()
            assert bool(jobs) or not waiting
            assert bool(waiting) >= self.owed
            for run in db_session.scalars(select(Run)):
                assert (run.reason is not None) == (run.state is RunState.FINISHED)
                assert (run.finished_at is not None) == (run.state in ENDED)


TestRunMachine = RunMachine.TestCase
TestRunMachine.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
