"""Features still to be made: who makes which, in which order, and how far it is.

A claim is a worker's name on an image. It counts while that worker shows signs of life; claiming is atomic on both
databases, as for jobs: SQLite lets one writer in at a time (`Database.write`), PostgreSQL skips the rows that another
worker has locked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import FeatureState, JobKind, JobState, WorkerRole
from db.queries.events import add_event
from db.queries.extraction_workers import CLAIM_TIMEOUT
from db.queries.feature_requests import REST, order_of_use
from db.queries.refits import note_arrivals
from db.queries.session_info import Strategy
from db.tables.images import Image
from db.tables.processes import Job, Worker

URGENT_JOBS = (JobKind.REFIT, JobKind.PREDICT)
IDS_PER_STATEMENT = 500
IDS_PER_EVENT = 200
"""More are not named one by one: a listener looks at all it shows."""
_WAS_ANNOTATED = Image.revision > 0
"""Not `status`: undo, redo and restored classes bring back points of images that show none now, or are skipped."""


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
class Outcome:
    """What became of a claimed image."""

    id: int
    content_hash: str | None
    width: int | None
    height: int | None
    file_size: int | None
    file_mtime_ns: int | None
    failure: str | None
    whole: bool
    """As in the claim."""


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
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        chunk = Image.id.in_(ids[start : start + IDS_PER_STATEMENT])
        db_session.execute(update(Image).where(chunk).values(features=FeatureState.PENDING))


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


def record(db_session: Session, worker_id: str, outcomes: Sequence[Outcome], *, pooled_is_all: bool) -> None:
    """Store what became of claimed images and announce it once; what another worker has claimed since is left alone.

    Args:
        pooled_is_all: The task reads pooled vectors alone, so that the cheap tier is all there is to make.
    """
    as_known = _record_as_known(db_session, worker_id, outcomes, pooled_is_all)
    recorded = [
        outcome
        for outcome in outcomes
        if outcome.id in as_known or _record_one(db_session, worker_id, outcome, pooled_is_all)
    ]
    if not recorded:
        return
    ready = [each.id for each in recorded if each.failure is None and (each.whole or pooled_is_all)]
    note_arrivals(db_session, ready)
    named = [each.id for each in recorded if each.failure is not None or each.whole or pooled_is_all]
    # Without counts: they look at every image, and people wait while this transaction lasts.
    add_event(db_session, "features", image_ids=named[:IDS_PER_EVENT], all_named=len(named) <= IDS_PER_EVENT)


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


def _record_as_known(db_session: Session, worker_id: str, outcomes: Sequence[Outcome], pooled_is_all: bool) -> set[int]:
    """Record together the successes that change nothing of what is known of the file, which is most; their ids."""
    facts = (Image.content_hash, Image.width, Image.height, Image.file_size, Image.file_mtime_ns)
    recorded: set[int] = set()
    for start in range(0, len(outcomes), IDS_PER_STATEMENT):
        chunk = {each.id: each for each in outcomes[start : start + IDS_PER_STATEMENT] if each.failure is None}
        mine = select(Image.id, *facts).where(Image.id.in_(chunk), Image.claimed_by == worker_id)
        same = [
            chunk[row[0]]
            for row in db_session.execute(mine.with_for_update(of=Image))
            if all(getattr(chunk[row[0]], fact.key) == known for fact, known in zip(facts, row[1:], strict=True))
        ]
        for is_whole in (True, False):
            ids = [each.id for each in same if (each.whole or pooled_is_all) is is_whole]
            changes: dict[str, Any] = {"failure": None, "claimed_by": None, "pooled_ready": True}
            if is_whole:
                changes |= {"features": FeatureState.READY, "feature_priority": REST}
            if ids:
                db_session.execute(update(Image).where(Image.id.in_(ids)).values(changes))
            recorded.update(ids)
    return recorded


def _record_one(db_session: Session, worker_id: str, outcome: Outcome, pooled_is_all: bool) -> bool:
    changes: dict[str, Any] = {
        "content_hash": outcome.content_hash,
        "width": outcome.width,
        "height": outcome.height,
        "file_size": outcome.file_size,
        "file_mtime_ns": outcome.file_mtime_ns,
        "failure": outcome.failure,
        "claimed_by": None,
    }
    if outcome.failure is not None:
        changes |= {"features": FeatureState.FAILED, "feature_priority": REST}
        # What annotations belong to is kept: with the old file back, all is as it was.
        for column in (Image.content_hash, Image.width, Image.height):
            changes[column.key] = case((_WAS_ANNOTATED, column), else_=changes[column.key])
    else:
        changes["pooled_ready"] = True
        if outcome.whole or pooled_is_all:
            changes |= {"features": FeatureState.READY, "feature_priority": REST}
    mine = (Image.id == outcome.id, Image.claimed_by == worker_id)
    if outcome.failure is None:
        return take_file(db_session, mine, changes) is not Taken.GONE
    return bool(db_session.execute(update(Image).where(*mine).values(changes)).rowcount)  # type: ignore[attr-defined]


class Taken(Enum):
    """What came of a file for a known image."""

    TAKEN = auto()
    REFUSED = auto()
    """Annotations belong to a picture of another size: the image has failed with the reason."""
    GONE = auto()
    """No image fits the conditions any more: somebody else was faster."""


def take_file(db_session: Session, which: Sequence[ColumnElement[bool]], changes: Mapping[str, Any]) -> Taken:
    """Write what is known of the readable file of one image, unless its annotations belong to another size.

    That is decided by what the database holds at this moment. If it is refused, hash and size stay those of the old
    file: with that back, all is as it was.

    Args:
        which: Conditions that at most one image meets.
        changes: New values of columns, `width` and `height` (pixels) among them.
    """
    same_size = and_(Image.width == changes["width"], Image.height == changes["height"])
    fits = or_(~_WAS_ANNOTATED, Image.width.is_(None), same_size)
    if db_session.execute(update(Image).where(*which, fits).values(changes)).rowcount:  # type: ignore[attr-defined]
        return Taken.TAKEN
    image = db_session.scalar(select(Image).where(*which))
    if image is None:
        return Taken.GONE
    image.features, image.feature_priority, image.claimed_by = FeatureState.FAILED, REST, None
    image.failure = size_conflict(image.path, (image.width, image.height), (changes["width"], changes["height"]))
    return Taken.REFUSED


def size_conflict(path: str, old: tuple[int | None, int | None], new: tuple[int | None, int | None]) -> str:
    """Why an annotated image cannot take a file of another size."""
    return (
        f"{path} has {new[0]} x {new[1]} pixels, its annotations belong to a picture of {old[0]} x {old[1]}: put the "
        "old file back, or give the new picture another name, then run init with --append"
    )
