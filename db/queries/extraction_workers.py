"""Workers that make features: their signs of life, and what they say of themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import WorkerRole
from db.queries.workers import beat
from db.tables.processes import Worker

CLAIM_TIMEOUT = dt.timedelta(seconds=10)
"""Silence after which a worker's claims are void."""


@dataclass(frozen=True)
class WorkerProgress:
    """What an extraction worker says of itself: `Worker.progress`."""

    images_per_s: float | None = None
    """Whole images."""
    pooled_per_s: float | None = None
    """Images of the cheap tier."""
    message: str | None = None
    """Why it cannot work, in one line for a person."""


def beat_extraction(db_session: Session, worker_id: str, pid: int, host: str, progress: WorkerProgress) -> None:
    """Show that an extraction worker lives, and what it is up to."""
    beat(db_session, worker_id, pid, host, role=WorkerRole.EXTRACTION)
    db_session.flush()
    db_session.execute(update(Worker).where(Worker.id == worker_id).values(progress=asdict(progress)))


def living_workers(db_session: Session, timeout: dt.timedelta = CLAIM_TIMEOUT) -> list[WorkerProgress]:
    """What each extraction worker that shows signs of life says."""
    rows = db_session.scalars(
        select(Worker)
        .where(Worker.role == WorkerRole.EXTRACTION, Worker.heartbeat_at > utc_now() - timeout)
        .order_by(Worker.started_at)
    )
    return [WorkerProgress(**(row.progress or {})) for row in rows]


def extraction_pids(db_session: Session, host: str) -> dict[str, int]:
    """Process ids of the extraction workers on a machine, by worker id."""
    mine = (Worker.role == WorkerRole.EXTRACTION, Worker.host == host)
    return dict(db_session.execute(select(Worker.id, Worker.pid).where(*mine)).all())


def forget_workers(db_session: Session, worker_ids: Collection[str]) -> None:
    """Void the claims of workers that are known to have ended."""
    db_session.execute(delete(Worker).where(Worker.id.in_(worker_ids), Worker.role == WorkerRole.EXTRACTION))
