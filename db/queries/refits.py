"""That a head which has not learned from every annotation never goes without a refit that is on its way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import JobKind, JobState
from db.queries.jobs import request_job
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tables.processes import Job

REST_AFTER_FAILURE = dt.timedelta(seconds=30)
"""Between a refit that failed and the next one that nobody asked for: whatever was wrong may be mended meanwhile."""


def request_due_refit(db_session: Session) -> bool:
    """Queue a refit if annotations changed after the head's and no refit waits or runs; whether one was queued."""
    info = get_session_info(db_session)
    if info.head_label_sequence == info.label_sequence:
        return False
    is_on_its_way = Job.state.in_((JobState.QUEUED, JobState.RUNNING))
    failed_just_now = (Job.state == JobState.FAILED) & (Job.finished_at > utc_now() - REST_AFTER_FAILURE)
    nearby = select(Job.id).where(Job.kind == JobKind.REFIT, is_on_its_way | failed_just_now).limit(1)
    if db_session.scalar(nearby) is not None:
        return False
    request_job(db_session, JobKind.REFIT)
    return True


def note_arrivals(db_session: Session, image_ids: Sequence[int]) -> None:
    """Have images learned from that were annotated before their features were computed, which is now."""
    annotated: list[int] = []
    for ids in in_portions(image_ids):
        annotated += db_session.scalars(select(Image.id).where(Image.id.in_(ids), Image.label_sequence > 0))
    if not annotated:
        return
    info = get_session_info(db_session)
    info.label_sequence += 1
    for ids in in_portions(annotated):
        db_session.execute(update(Image).where(Image.id.in_(ids)).values(label_sequence=info.label_sequence))
    request_job(db_session, JobKind.REFIT)
