"""Jobs: requested by the backend, claimed and finished by an ML service."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Job, JobKind, JobState

PRIORITY = {JobKind.REFIT: 0, JobKind.PREDICT: 1, JobKind.TRAIN: 5}
"""Smaller is sooner: a click before an opened image before a run (which yields to both)."""


def request_job(db_session: Session, kind: JobKind, image_id: int | None = None) -> Job:
    """Queue work, or return the equal request that is queued already.

    A job that is running does not count as equal: what it read may be older than this request, so a new one is queued
    behind it. For `REFIT`, `image_id` is the image that the person has open: predicted first; the newest request wins.
    """
    key = f"{kind.value}:{image_id}" if kind is JobKind.PREDICT else kind.value
    queued = db_session.scalar(select(Job).where(Job.key == key, Job.state == JobState.QUEUED))
    if queued is not None:
        queued.image_id = image_id if image_id is not None else queued.image_id
        return queued
    job = Job(kind=kind, key=key, image_id=image_id, priority=PRIORITY[kind])
    db_session.add(job)
    db_session.flush()
    return job
