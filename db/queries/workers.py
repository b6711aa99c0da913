"""Living processes that work for the session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import WorkerRole
from db.queries.jobs import beat_jobs
from db.tables.processes import Worker


def beat(
    db_session: Session,
    worker_id: str,
    pid: int,
    host: str,
    job_ids: Collection[int] = (),
    *,
    role: WorkerRole = WorkerRole.LEARNING,
) -> None:
    """Show that a worker lives, and works on those of its jobs; the first beat announces it.

    One that was silent for long, as on a laptop that slept, may have been forgotten: it is announced again.
    """
    worker = db_session.get(Worker, worker_id)
    if worker is None:
        db_session.add(Worker(id=worker_id, pid=pid, host=host, role=role))
    else:
        worker.heartbeat_at = utc_now()
    if job_ids:
        beat_jobs(db_session, worker_id, job_ids)


def remove_worker(db_session: Session, worker_id: str) -> None:
    """Take leave in good order."""
    db_session.execute(delete(Worker).where(Worker.id == worker_id))


def remove_silent_workers(db_session: Session, older_than: dt.timedelta) -> None:
    """Forget processes that showed no sign of life for `older_than`."""
    db_session.execute(delete(Worker).where(Worker.heartbeat_at < utc_now() - older_than))


def rank_among_learners(db_session: Session, worker_id: str) -> tuple[int, int]:
    """(place, number) of a worker among the ML services that live, by id; (0, 1) if it is not known."""
    learners = select(Worker.id).where(Worker.role == WorkerRole.LEARNING).order_by(Worker.id)
    ids = list(db_session.scalars(learners))
    return (ids.index(worker_id), len(ids)) if worker_id in ids else (0, 1)


def heartbeat_age_s(db_session: Session) -> float | None:
    """Seconds since the last sign of life of any ML service; None if there is none."""
    newest = db_session.scalar(select(func.max(Worker.heartbeat_at)).where(Worker.role == WorkerRole.LEARNING))
    return None if newest is None else max(0.0, (utc_now() - newest).total_seconds())
