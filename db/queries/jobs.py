"""Jobs: requested by the backend, claimed and finished by an ML service.

A claim is atomic on both databases: SQLite lets one writer in at a time (`Database.write`), PostgreSQL skips the rows
that another worker has locked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, bindparam, delete, exists, insert, select, update
from sqlalchemy.orm import Session, aliased

from db.clock import utc_now
from db.enums import JobKind, JobState
from db.errors import ConflictError
from db.queries.events import add_event
from db.tables.processes import Job

PRIORITY = {JobKind.REFIT: 0, JobKind.PREDICT: 1, JobKind.TRAIN: 5}
"""Smaller is sooner: a click before an opened image before a run (which yields to both)."""
MAX_ATTEMPTS = 3
"""A job that took this many workers down with it is not tried again."""


class JobLostError(ConflictError):
    """The job now belongs to another worker, or has ended: what was computed for it must not be recorded."""


@dataclass(frozen=True)
class Recovery:
    """What became of the jobs of dead workers."""

    requeued: list[int]
    failed: list[int]


def request_job(db_session: Session, kind: JobKind, image_id: int | None = None) -> Job:
    """Queue work, or return the equal request that is queued already.

    A job that is running does not count as equal: what it read may be older than this request, so a new one is queued
    behind it. For `REFIT`, `image_id` is the image that the person has open: predicted first; the newest request wins.
    """
    key = job_key(kind, image_id)
    queued = _queued(db_session, key)
    if queued is not None:
        queued.image_id = image_id if image_id is not None else queued.image_id
        return queued
    job = Job(kind=kind, key=key, image_id=image_id, priority=PRIORITY[kind])
    db_session.add(job)
    db_session.flush()
    return job


def request_refit(db_session: Session, image_id: int) -> None:
    """`request_job` of a refit after a click on that image, as quick as can be."""
    connection = db_session.connection()
    if connection.execute(_TAKE_OVER_REFIT, {"open_id": image_id}).rowcount == 0:
        kind = JobKind.REFIT
        values = {"kind": kind, "key": job_key(kind), "image_id": image_id, "priority": PRIORITY[kind]}
        connection.execute(_INSERT, values)


def job_key(kind: JobKind, image_id: int | None = None) -> str:
    """What equal requests share."""
    return f"{kind.value}:{image_id}" if kind is JobKind.PREDICT else kind.value


def has_queued(db_session: Session, kinds: Collection[JobKind] | None = None) -> bool:
    """Whether work waits, of the given kinds or of any."""
    return db_session.scalar(_any_queued(None if kinds is None else tuple(kinds))) is not None


def claim_job(db_session: Session, worker_id: str, kinds: Collection[JobKind] | None = None) -> Job | None:
    """Take the most urgent queued job, of the given kinds or of any; None if there is none.

    A job equal to one that is running waits until that one has ended: the same work never runs twice at once.
    """
    job = db_session.scalar(_most_urgent(None if kinds is None else tuple(kinds)))
    if job is None:
        return None
    job.state = JobState.RUNNING
    job.worker_id = worker_id
    job.attempts += 1
    job.heartbeat_at = utc_now()
    db_session.flush()
    return job


def own_job(db_session: Session, job_id: int, worker_id: str) -> Job:
    """The running job, if it still is this worker's.

    Raises:
        JobLostError: it is not; roll back.
    """
    job = db_session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is None or job.state is not JobState.RUNNING or job.worker_id != worker_id:
        found = "gone" if job is None else f"{job.state.value} by {job.worker_id}"
        raise JobLostError(f"job {job_id} is {found}, expected running by {worker_id}: its result is dropped")
    return job


def finish_job(db_session: Session, job_id: int, worker_id: str) -> None:
    """Record that a job is done, in the transaction that records its result.

    Raises:
        JobLostError: the job is no longer this worker's.
    """
    job = own_job(db_session, job_id, worker_id)
    job.state = JobState.DONE
    job.progress = 1.0
    job.finished_at = utc_now()


def fail_job(db_session: Session, job: Job, error: str) -> None:
    """Record why a job failed, and announce it."""
    job.state = JobState.FAILED
    job.error = error
    job.finished_at = utc_now()
    add_event(db_session, "job", job_id=job.id, job_kind=job.kind.value, state=job.state.value, error=error)


def requeue_job(db_session: Session, job: Job, *, count_attempt: bool) -> None:
    """Put a running job back, ahead of nothing it was behind; an equal one that waits already takes its place.

    Args:
        count_attempt: false where the worker gave it up in good order: such an attempt is no sign of a bad job.
    """
    waiting = _queued(db_session, job.key)
    if waiting is not None:
        job.state = JobState.DONE
        job.finished_at = utc_now()
        waiting.attempts = max(waiting.attempts, job.attempts if count_attempt else 0)
        return
    job.state = JobState.QUEUED
    job.worker_id = None
    job.heartbeat_at = None
    if not count_attempt:
        job.attempts -= 1


def recover_jobs(db_session: Session, older_than: dt.timedelta) -> Recovery:
    """Queue the jobs whose worker has shown no sign of life for `older_than` again; fail those tried too often."""
    silent = db_session.scalars(
        select(Job)
        .where(Job.state == JobState.RUNNING, Job.heartbeat_at < utc_now() - older_than)
        .order_by(Job.id)
        .with_for_update(skip_locked=True)
    ).all()
    recovery = Recovery([], [])
    for job in silent:
        if job.attempts >= MAX_ATTEMPTS:
            fail_job(db_session, job, f"given up: {job.attempts} workers stopped without a word while they did it")
            recovery.failed.append(job.id)
        else:
            requeue_job(db_session, job, count_attempt=True)
            recovery.requeued.append(job.id)
        db_session.flush()
    return recovery


def beat_jobs(db_session: Session, worker_id: str, job_ids: Collection[int]) -> None:
    """Show that a worker is at work on these jobs."""
    mine = (Job.worker_id == worker_id, Job.state == JobState.RUNNING, Job.id.in_(job_ids))
    db_session.execute(update(Job).where(*mine).values(heartbeat_at=utc_now()))


def prune_jobs(db_session: Session, older_than: dt.timedelta) -> None:
    """Remove jobs that ended long ago."""
    db_session.execute(delete(Job).where(Job.finished_at < utc_now() - older_than))


def _queued(db_session: Session, key: str) -> Job | None:
    return db_session.scalar(_QUEUED_AS, {"key": key})


# Built once: every click runs them, and putting a statement together takes longer than running it.
_QUEUED_AS = select(Job).where(Job.key == bindparam("key"), Job.state == JobState.QUEUED)
_TAKE_OVER_REFIT = (
    update(Job)
    .where(Job.key == job_key(JobKind.REFIT), Job.state == JobState.QUEUED)
    .values(image_id=bindparam("open_id"))
)
_INSERT = insert(Job).inline()


@cache
def _any_queued(kinds: tuple[JobKind, ...] | None) -> Select[int]:
    statement = select(Job.id).where(Job.state == JobState.QUEUED).limit(1)
    return statement if kinds is None else statement.where(Job.kind.in_(kinds))


@cache
def _most_urgent(kinds: tuple[JobKind, ...] | None) -> Select[Job]:
    running = aliased(Job)
    is_running_elsewhere = exists().where(running.key == Job.key, running.state == JobState.RUNNING)
    statement = (
        select(Job)
        .where(Job.state == JobState.QUEUED, ~is_running_elsewhere)
        .order_by(Job.priority, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return statement if kinds is None else statement.where(Job.kind.in_(kinds))
