"""Measurements of two checkpoints on the same images: asked for by the backend, kept in the ML service's job."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import JobKind, JobState
from db.tables.processes import Job

PRIORITY = 4
"""Smaller is sooner: after clicks and opened images, before a run."""


def request_comparison(db_session: Session, a_id: int, b_id: int) -> Job:
    """Queue the measurement, or return the one that waits already."""
    key = _key(a_id, b_id)
    queued = db_session.scalar(select(Job).where(Job.key == key, Job.state == JobState.QUEUED))
    if queued is not None:
        return queued
    job = Job(kind=JobKind.COMPARE, key=key, priority=PRIORITY, payload={"checkpoint_ids": [a_id, b_id]})
    db_session.add(job)
    db_session.flush()
    return job


def newest_comparison(db_session: Session, a_id: int, b_id: int) -> Job | None:
    """The last request for these two, in this order, whatever became of it; None if there is none any more."""
    return db_session.scalar(select(Job).where(Job.key == _key(a_id, b_id)).order_by(Job.id.desc()).limit(1))


def _key(a_id: int, b_id: int) -> str:
    return f"{JobKind.COMPARE.value}:{a_id}:{b_id}"
