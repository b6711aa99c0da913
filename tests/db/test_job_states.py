"""Requests, claims, ends and deaths in any order on a real database, against a model of a few lines."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select, update

from db.clock import utc_now
from db.database import DATABASE_FILE_NAME, Database
from db.enums import JobKind, JobState
from db.queries import comparisons
from db.queries.comparisons import newest_comparison, request_comparison
from db.queries.jobs import (
    MAX_ATTEMPTS,
    PRIORITY,
    JobLostError,
    claim_job,
    fail_job,
    finish_job,
    has_queued,
    job_key,
    own_job,
    recover_jobs,
    request_job,
    requeue_job,
)
from db.tables.base import Base
from db.tables.images import Image
from db.tables.processes import Job

WORKERS = st.sampled_from(["a", "b", "c"])
REQUESTS = st.sampled_from(
    [(JobKind.REFIT, 1), (JobKind.REFIT, 2), (JobKind.PREDICT, 1), (JobKind.PREDICT, 2), (JobKind.TRAIN, None)]
)
PAIRS = st.sampled_from([(1, 2), (2, 1), (2, 3)])
"""Checkpoints to compare; the other way round is another question."""
KINDS = st.sampled_from([None, (JobKind.REFIT, JobKind.PREDICT), (JobKind.TRAIN,), (JobKind.COMPARE, JobKind.TRAIN)])
PRIORITIES = {**PRIORITY, JobKind.COMPARE: comparisons.PRIORITY}
TIMEOUT = dt.timedelta(seconds=10)


@dataclass
class Expected:
    """A job as the model has it."""

    key: str
    priority: int
    state: JobState = JobState.QUEUED
    worker: str | None = None
    attempts: int = 0


class JobStates(RuleBasedStateMachine):
    """Whatever happens: equal work waits once and runs once, nothing asked for is lost, nobody ends another's job."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database(f"sqlite:///{Path(self.folder.name) / DATABASE_FILE_NAME}")
        Base.metadata.create_all(self.db.engine)
        with self.db.write() as db_session:
            db_session.add_all([Image(id=n, path=f"{n}.png", random_key=0.5) for n in (1, 2)])
        self.model: dict[int, Expected] = {}
        self.silent: set[int] = set()
        """Running jobs whose worker is dead."""
        self.believed: dict[str, int] = {}
        """Job that a worker believes to be at."""

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.work_off()
            self.db.close()
            self.folder.cleanup()

    def work_off(self) -> None:
        """What is left can be done by a worker that lives: nothing waits for ever."""
        with self.db.write() as db_session:
            db_session.execute(
                update(Job).where(Job.state == JobState.RUNNING).values(heartbeat_at=utc_now() - 2 * TIMEOUT)
            )
            recover_jobs(db_session, TIMEOUT)
        for _ in range(len(self.model) + 1):
            with self.db.write() as db_session:
                job = claim_job(db_session, "last")
                if job is None:
                    break
                finish_job(db_session, job.id, "last")
        with self.db.read() as db_session:
            assert not has_queued(db_session)

    def queued(self, key: str) -> int | None:
        return next((i for i, job in self.model.items() if (job.key, job.state) == (key, JobState.QUEUED)), None)

    def claimable(self, kinds: tuple[JobKind, ...] | None) -> int | None:
        running = {job.key for job in self.model.values() if job.state is JobState.RUNNING}
        wanted = None if kinds is None else {PRIORITIES[kind] for kind in kinds}
        waiting = [
            (job.priority, i)
            for i, job in self.model.items()
            if job.state is JobState.QUEUED and job.key not in running and (wanted is None or job.priority in wanted)
        ]
        return min(waiting)[1] if waiting else None

    def back_to_queue(self, job_id: int, *, count_attempt: bool) -> None:
        job = self.model[job_id]
        waiting = self.queued(job.key)
        if waiting is not None:
            job.state = JobState.DONE
            if count_attempt:
                self.model[waiting].attempts = max(self.model[waiting].attempts, job.attempts)
            return
        job.state, job.worker = JobState.QUEUED, None
        job.attempts -= 0 if count_attempt else 1

    @rule(request=REQUESTS)
    def ask(self, request: tuple[JobKind, int | None]) -> None:
        kind, image_id = request
        key = job_key(kind, image_id)
        with self.db.write() as db_session:
            job_id = request_job(db_session, kind, image_id).id
        self.note_request(job_id, key, kind)

    @rule(pair=PAIRS)
    def ask_to_compare(self, pair: tuple[int, int]) -> None:
        with self.db.write() as db_session:
            job = request_comparison(db_session, *pair)
            assert job.payload == {"checkpoint_ids": list(pair)}
            newest = newest_comparison(db_session, *pair)
            assert newest is not None
            assert (newest.id, newest.state) == (job.id, JobState.QUEUED)
            job_id, key = job.id, job.key
        self.note_request(job_id, key, JobKind.COMPARE)

    def note_request(self, job_id: int, key: str, kind: JobKind) -> None:
        waiting = self.queued(key)
        if waiting is None:
            assert job_id not in self.model
            self.model[job_id] = Expected(key, PRIORITIES[kind])
        else:
            assert job_id == waiting

    @rule(worker=WORKERS, kinds=KINDS)
    def claim(self, worker: str, kinds: tuple[JobKind, ...] | None) -> None:
        expected = self.claimable(kinds)
        with self.db.write() as db_session:
            job = claim_job(db_session, worker, kinds)
            assert (None if job is None else job.id) == expected
        if expected is not None:
            job_model = self.model[expected]
            job_model.state, job_model.worker = JobState.RUNNING, worker
            job_model.attempts += 1
            self.believed[worker] = expected

    @precondition(lambda self: bool(self.believed))
    @rule(data=st.data(), ending=st.sampled_from(["finish", "fail", "give back"]))
    def end(self, data: st.DataObject, ending: str) -> None:
        worker = data.draw(st.sampled_from(sorted(self.believed)))
        job_id = self.believed.pop(worker)
        job = self.model[job_id]
        is_mine = job.state is JobState.RUNNING and job.worker == worker
        try:
            with self.db.write() as db_session:
                if ending == "finish":
                    finish_job(db_session, job_id, worker)
                elif ending == "fail":
                    fail_job(db_session, own_job(db_session, job_id, worker), "no luck")
                else:
                    requeue_job(db_session, own_job(db_session, job_id, worker), count_attempt=False)
        except JobLostError:
            assert not is_mine
            return
        assert is_mine
        self.silent.discard(job_id)
        if ending == "give back":
            self.back_to_queue(job_id, count_attempt=False)
        else:
            job.state = JobState.DONE if ending == "finish" else JobState.FAILED

    @precondition(lambda self: bool(self.believed))
    @rule(data=st.data())
    def fall_silent(self, data: st.DataObject) -> None:
        """The worker may be dead, or only asleep: it may still believe that the job is its own."""
        job_id = self.believed[data.draw(st.sampled_from(sorted(self.believed)))]
        if self.model[job_id].state is JobState.RUNNING:
            self.silent.add(job_id)
            with self.db.write() as db_session:
                silenced = update(Job).where(Job.id == job_id).values(heartbeat_at=utc_now() - 2 * TIMEOUT)
                db_session.execute(silenced)

    @rule()
    def recover(self) -> None:
        with self.db.write() as db_session:
            recovery = recover_jobs(db_session, TIMEOUT)
        given_up = [i for i in sorted(self.silent) if self.model[i].attempts >= MAX_ATTEMPTS]
        assert recovery.failed == given_up
        assert recovery.requeued == [i for i in sorted(self.silent) if i not in given_up]
        for job_id in recovery.failed:
            self.model[job_id].state = JobState.FAILED
        for job_id in recovery.requeued:
            self.back_to_queue(job_id, count_attempt=True)
        self.silent.clear()

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "db"):
            return
        with self.db.read() as db_session:
            rows = db_session.execute(select(Job.id, Job.key, Job.state, Job.attempts).order_by(Job.id)).all()
        assert [tuple(row) for row in rows] == [(i, j.key, j.state, j.attempts) for i, j in sorted(self.model.items())]
        for state in (JobState.QUEUED, JobState.RUNNING):
            keys = [row.key for row in rows if row.state is state]
            assert len(keys) == len(set(keys))


TestJobStates = JobStates.TestCase
TestJobStates.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
