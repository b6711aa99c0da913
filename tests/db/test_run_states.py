"""Save, Stop, labels, work, suspension, death and recovery of two workers, in any order, on a real database."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from db.clock import utc_now
from db.database import DATABASE_FILE_NAME, Database
from db.enums import JobKind, JobState, RunKind, RunState
from db.queries.jobs import JobLostError, claim_job, finish_job, own_job, requeue_job
from db.queries.runs import (
    AT_WORK,
    ENDED,
    TRANSITIONS,
    recover_runs,
    recover_work,
    request_run,
    request_stop,
    runs_at_work,
    start_next_run,
    transition,
)
from db.queries.session_info import TrainingSettings
from db.tables.base import Base
from db.tables.learning import Run
from db.tables.processes import Job
from db.tables.session import SessionInfo
from db.tasks import Task

WORKERS = st.sampled_from(["a", "b"])
KINDS = st.sampled_from(sorted(RunKind))
LONG_SILENCE = dt.timedelta(minutes=1)
TIMEOUT = dt.timedelta(seconds=10)


class RunStates(RuleBasedStateMachine):
    """What must hold whatever happens: see the invariants, and `teardown` for what must come of every request."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database(f"sqlite:///{Path(self.folder.name) / DATABASE_FILE_NAME}")
        Base.metadata.create_all(self.db.engine)
        training = TrainingSettings().model_dump(mode="json")
        with self.db.write() as db_session:
            db_session.add(
                SessionInfo(
                    name="x", task=Task.SEGMENTATION, image_root=".", config={}, training=training, extractor={}
                )
            )
        self.believed: dict[str, int] = {}
        """Job that a worker believes to be at, whether or not it was taken from it."""
        self.read: dict[int, int] = {}
        """By run id, the label sequence that it has learned from."""
        self.owed: dict[RunKind, int] = {}
        """By kind, the label sequence of the newest request that no run has answered."""
        self.ended: dict[int, tuple[Any, ...]] = {}

    def teardown(self) -> None:
        """Every request ends in a run that has read labels at least as new."""
        if not hasattr(self, "db"):
            return
        self.fall_silent()
        self.recover()
        for _ in range(10):
            self.claim("a")
            self.work("a", RunState.FINISHED)
        self.what_must_hold()
        assert not self.owed
        with self.db.read() as db_session:
            assert not db_session.scalars(select(Run).where(Run.state.not_in(ENDED))).all()
            assert not db_session.scalars(select(Job).where(Job.state.in_([JobState.QUEUED, JobState.RUNNING]))).all()
        self.db.close()
        self.folder.cleanup()

    @rule()
    def annotate(self) -> None:
        with self.db.write() as db_session:
            db_session.get_one(SessionInfo, 1).label_sequence += 1

    @rule(kind=KINDS)
    def save(self, kind: RunKind) -> None:
        with self.db.write() as db_session:
            request_run(db_session, kind=kind)
            self.owed[kind] = db_session.get_one(SessionInfo, 1).label_sequence

    @rule()
    def stop(self) -> None:
        with self.db.write() as db_session:
            request_stop(db_session)
        self.owed.clear()

    @rule(worker=WORKERS)
    def claim(self, worker: str) -> None:
        if worker in self.believed:
            return
        with self.db.write() as db_session:
            job = claim_job(db_session, worker, [JobKind.TRAIN])
            if job is None:
                return
            run = start_next_run(db_session)
            if run is None:
                finish_job(db_session, job.id, worker)
                return
            self.believed[worker] = job.id
            self._reads(db_session.get_one(SessionInfo, 1).label_sequence, run)

    def _reads(self, sequence: int, run: Run) -> None:
        self.read[run.id] = sequence
        if self.owed.get(run.kind, sequence + 1) <= sequence and run.state in AT_WORK:
            self.owed.pop(run.kind)

    @rule(worker=WORKERS, state=st.sampled_from(sorted(set(RunState) - {RunState.QUEUED})))
    def work(self, worker: str, state: RunState) -> None:
        """Suspend, go on, finish or fail; a worker that was given up for dead finds that out here."""
        if worker not in self.believed:
            return
        try:
            with self.db.write() as db_session:
                own_job(db_session, self.believed[worker], worker)
                (run,) = runs_at_work(db_session)
                if state not in TRANSITIONS[run.state]:
                    return
                details = {"reason": "early_stop"} if state is RunState.FINISHED else {"message": "why"}
                transition(db_session, run, state, **details)
                if state in ENDED:
                    finish_job(db_session, self.believed.pop(worker), worker)
        except JobLostError:
            del self.believed[worker]

    @rule(worker=WORKERS)
    def give_back(self, worker: str) -> None:
        """The service is stopped in good order."""
        if worker not in self.believed:
            return
        try:
            with self.db.write() as db_session:
                job = own_job(db_session, self.believed.pop(worker), worker)
                requeue_job(db_session, job, count_attempt=False)
                db_session.flush()
                self._owe_again(recover_runs(db_session))
        except JobLostError:
            pass

    @rule()
    def fall_silent(self) -> None:
        """No heartbeat for a while: killed, or only asleep."""
        with self.db.write() as db_session:
            for job in db_session.scalars(select(Job).where(Job.state == JobState.RUNNING)):
                job.heartbeat_at = utc_now() - LONG_SILENCE

    @rule()
    def recover(self) -> None:
        with self.db.write() as db_session:
            _, runs = recover_work(db_session, TIMEOUT)
            self._owe_again(runs)

    def _owe_again(self, runs: list[Run]) -> None:
        """A run that was put back has answered nobody yet."""
        for run in runs:
            if run.state is RunState.QUEUED:
                self.owed[run.kind] = max(self.owed.get(run.kind, 0), self.read[run.id])

    @invariant()
    def what_must_hold(self) -> None:
        with self.db.read() as db_session:
            runs = db_session.scalars(select(Run).order_by(Run.id)).all()
            running = db_session.scalars(select(Job).where(Job.state == JobState.RUNNING)).all()
            queued = db_session.scalars(select(Job).where(Job.state == JobState.QUEUED)).all()
        at_work = [run for run in runs if run.state in AT_WORK]
        waiting = [run for run in runs if run.state is RunState.QUEUED]
        assert len(at_work) == len(running) <= 1, "a run at work has its one job, and no two are at work"
        assert queued or not waiting, "what waits has a job that will come to it"
        assert len(queued) <= 1, "equal requests coalesce"
        for kind in self.owed:
            assert any(run.kind is kind for run in waiting), f"a request for {kind.value} was lost"
        for run in runs:
            assert (run.reason is not None) == (run.state is RunState.FINISHED)
            assert (run.finished_at is not None) == (run.state in ENDED)
            if run.state in ENDED:
                facts = (run.state, run.reason, run.message, run.epoch, run.finished_at, run.stop_requested)
                assert self.ended.setdefault(run.id, facts) == facts, "an ended run never changes"


TestRunStates = RunStates.TestCase
TestRunStates.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
