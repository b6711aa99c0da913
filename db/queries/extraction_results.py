"""What became of images whose features were to be made, and whether a file fits the annotations of its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.orm import Session

from db.enums import FeatureState
from db.queries.events import add_event
from db.queries.extraction import IDS_PER_EVENT
from db.queries.feature_requests import REST
from db.queries.portions import in_portions
from db.queries.refits import note_arrivals
from db.tables.images import Image

_WAS_ANNOTATED = Image.revision > 0
"""Not `status`: undo, redo and restored classes bring back points of images that show none now, or are skipped."""


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


class Taken(Enum):
    """What came of a file for a known image."""

    TAKEN = auto()
    REFUSED = auto()
    """Annotations belong to a picture of another size: the image has failed with the reason."""
    GONE = auto()
    """No image fits the conditions any more: somebody else was faster."""


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


def _record_as_known(db_session: Session, worker_id: str, outcomes: Sequence[Outcome], pooled_is_all: bool) -> set[int]:
    """Record together the successes that change nothing of what is known of the file, which is most; their ids."""
    facts = (Image.content_hash, Image.width, Image.height, Image.file_size, Image.file_mtime_ns)
    recorded: set[int] = set()
    for portion in in_portions(outcomes):
        chunk = {each.id: each for each in portion if each.failure is None}
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
