"""Features still to be made: who makes which, in which order, and how far it is.

A claim is a worker's name on an image. It counts while that worker shows signs of life; claiming is atomic on both
databases, as for jobs: SQLite lets one writer in at a time (`Database.write`), PostgreSQL skips the rows that another
worker has locked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import FeatureState, JobKind, JobState, WorkerRole
from db.queries.events import add_event
from db.queries.extraction_workers import CLAIM_TIMEOUT
from db.queries.feature_requests import REST, order_of_use
from db.queries.portions import in_portions
from db.queries.session_info import Strategy
from db.tables.images import Image
from db.tables.processes import Job, Worker

URGENT_JOBS = (JobKind.REFIT, JobKind.PREDICT)
IDS_PER_EVENT = 200
"""More are not named one by one: a listener looks at all it shows."""


@dataclass(frozen=True)
class Claim:
    """An image that this worker computes features of."""

    id: int
    path: str
    content_hash: str | None
    width: int | None
    height: int | None
    file_size: int | None
    file_mtime_ns: int | None
    priority: int
    whole: bool
    """All that the task reads is wanted; else the pooled vector alone."""
    anew: bool
    """It failed before: neither the file's facts nor stored features are trusted."""


@dataclass(frozen=True)
class Progress:
    """How many images have what."""

    total: int
    done: int
    """Features ready."""
    failed: int
    pooled_done: int

    @property
    def pending(self) -> int:
        """Images whose features are still to be made."""
        return self.total - self.done - self.failed


def retry_failed(db_session: Session, except_paths: Collection[str] = ()) -> None:
    """Have failed images tried again; `failure` stays as the sign that nothing known of them is trusted."""
    skipped = set(except_paths)
    failed = db_session.execute(select(Image.id, Image.path).where(Image.features == FeatureState.FAILED))
    ids = [image_id for image_id, path in failed if path not in skipped]
    for portion in in_portions(ids):
        db_session.execute(update(Image).where(Image.id.in_(portion)).values(features=FeatureState.PENDING))


def has_requested(db_session: Session) -> bool:
    """Whether somebody waits for an image that no worker has taken."""
    requested = (Image.features == FeatureState.PENDING, Image.feature_priority > REST)
    return db_session.scalar(select(Image.id).where(*requested, _is_free()).limit(1)) is not None


def has_pending(db_session: Session) -> bool:
    """Whether anything is left to be made, claimed or not."""
    pending = select(Image.id).where(Image.features == FeatureState.PENDING).limit(1)
    return db_session.scalar(pending) is not None or db_session.scalar(_without_pooled().limit(1)) is not None


def claim_requested(db_session: Session, worker_id: str, limit: int) -> list[Claim]:
    """Take images that somebody waits for: those on a screen, then those that come up soon."""
    requested = (Image.features == FeatureState.PENDING, Image.feature_priority > REST)
    order = (Image.feature_priority.desc(), Image.id)
    return _claim(db_session, worker_id, requested, order, limit, whole=True)


def claim_pooled(db_session: Session, worker_id: str, limit: int) -> list[Claim]:
    """Take images without a pooled vector, to make that alone."""
    missing = (~Image.pooled_ready, Image.features != FeatureState.FAILED)
    return _claim(db_session, worker_id, missing, (Image.id,), limit, whole=False)


def claim_rest(db_session: Session, worker_id: str, strategy: Strategy, limit: int) -> list[Claim]:
    """Take any image whose features are to be made, in the order in which people will see them."""
    pending = (Image.features == FeatureState.PENDING,)
    return _claim(db_session, worker_id, pending, (order_of_use(strategy), Image.id), limit, whole=True)


def priorities(db_session: Session, image_ids: Collection[int]) -> dict[int, int]:
    """The priority of images as it is by now."""
    rows = db_session.execute(select(Image.id, Image.feature_priority).where(Image.id.in_(image_ids)))
    return dict(rows.all())


def release(db_session: Session, worker_id: str) -> None:
    """Give back every image that this worker has claimed."""
    db_session.execute(update(Image).where(Image.claimed_by == worker_id).values(claimed_by=None))


def announce_progress(db_session: Session, progress: Progress) -> None:
    """Tell who listens how far it is."""
    add_event(db_session, "features", image_ids=[], all_named=True, **asdict(progress))


def read_progress(db_session: Session) -> Progress:
    """How far it is. Looks at every image along an index (0.1 s for 500,000): not for a transaction that writes."""
    states = dict(db_session.execute(select(Image.features, func.count()).group_by(Image.features)).all())
    pooled = db_session.scalar(select(func.count()).where(Image.pooled_ready)) or 0
    return Progress(
        total=sum(states.values()),
        done=states.get(FeatureState.READY, 0),
        failed=states.get(FeatureState.FAILED, 0),
        pooled_done=pooled,
    )


def a_person_waits(db_session: Session) -> bool:
    """Whether a click or an opened image waits for the ML service, or is at work there."""
    at_work = (Job.kind.in_(URGENT_JOBS), Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    return db_session.scalar(select(Job.id).where(*at_work).limit(1)) is not None


def _without_pooled() -> Any:
    return select(Image.id).where(~Image.pooled_ready, Image.features != FeatureState.FAILED)


def _is_free() -> ColumnElement[bool]:
    living = select(Worker.id).where(
        Worker.role == WorkerRole.EXTRACTION, Worker.heartbeat_at > utc_now() - CLAIM_TIMEOUT
    )
    return or_(Image.claimed_by.is_(None), Image.claimed_by.not_in(living))


def _claim(
    db_session: Session,
    worker_id: str,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any] | Any],
    limit: int,
    *,
    whole: bool,
) -> list[Claim]:
    statement = (
        select(Image)
        .where(*conditions, _is_free())
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Image)
    )
    images = db_session.scalars(statement).all()
    for image in images:
        image.claimed_by = worker_id
    db_session.flush()
    return [
        Claim(
            id=image.id,
            path=image.path,
            content_hash=image.content_hash,
            width=image.width,
            height=image.height,
            file_size=image.file_size,
            file_mtime_ns=image.file_mtime_ns,
            priority=image.feature_priority,
            whole=whole,
            anew=image.failure is not None,
        )
        for image in images
    ]
