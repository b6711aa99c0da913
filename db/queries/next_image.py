"""Which image to label next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.enums import FeatureState, ImageStatus, Split
from db.queries.image_filters import ImageFilter, conditions
from db.queries.images import ImageRow, rows_of_images, to_row
from db.queries.session_info import Strategy
from db.tables.annotations import ANNOTATION_TABLES
from db.tables.images import Image
from db.tables.session import LabelClass

ASKING_THE_MODEL = frozenset({Strategy.LEAST_CONFIDENT, Strategy.LEAST_CONFIDENT_MINORITY})
READY_WINDOW = 64
"""So many images ahead are looked through for one whose features are there, before one is shown that has none yet."""
AUDIT_INTERVAL = 10
"""One image in so many is picked at random, so that there are images to measure on."""


@dataclass(frozen=True)
class Pick:
    """The image to label next."""

    row: ImageRow
    by_model: bool
    """What the model said of the image decided."""


def next_image(
    db_session: Session,
    strategy: Strategy,
    *,
    current_id: int | None = None,
    class_id: int | None = None,
    status: ImageStatus = ImageStatus.UNLABELED,
    only: ImageFilter | None = None,
) -> Pick | None:
    """The image to label next; never `current_id` itself; None when no other is left.

    Each strategy is one read along an index; a second one where a round ends, or where nothing is predicted yet. Under
    a strategy that asks the model, every tenth pick is an audit image: the next in random order.

    Args:
        class_id: only images whose newest prediction is this class.
        status: skipped ones, or those that nobody could tell, come up only where they are asked for.
        only: the images among which to pick; its status stands in `status`.
    """
    candidates = rows_of_images().where(Image.status == status, Image.features != FeatureState.FAILED)
    by_model = class_id is not None
    if only is not None:
        candidates = candidates.where(*conditions(db_session, replace(only, status=None)))
        by_model = by_model or only.asks_model
    if current_id is not None:
        candidates = candidates.where(Image.id != current_id)
    if class_id is not None:
        candidates = candidates.where(Image.predicted_class_id == class_id)
    if strategy in ASKING_THE_MODEL:
        return _ask_model(db_session, strategy, candidates, of_class=by_model)
    if strategy is Strategy.SEQUENTIAL:
        row = _after(db_session, candidates, Image.id, current_id)
    else:
        row = _after(db_session, candidates, Image.random_key, _random_key(db_session, current_id))
    return None if row is None else Pick(row, by_model=by_model)


def note_model_pick(db_session: Session, image_id: int) -> None:
    """Record that the model picked an image, which therefore never becomes a validation image."""
    still = (Image.id == image_id, ~Image.picked_by_model, Image.split.is_distinct_from(Split.VALIDATION))
    db_session.execute(update(Image).where(*still).values(picked_by_model=True))


def _ask_model(db_session: Session, strategy: Strategy, candidates: Select[Any], *, of_class: bool) -> Pick | None:
    if not of_class and _audit_is_due(db_session):
        row = _after(db_session, candidates.where(~Image.picked_by_model), Image.random_key, None)
        if row is not None:
            return Pick(row, by_model=False)
    # An image that was cleared stays a validation image, so the model may not choose when it is labelled again.
    to_train = candidates.where(Image.split.is_distinct_from(Split.VALIDATION))
    row = None
    if strategy is Strategy.LEAST_CONFIDENT_MINORITY:
        row = _least_certain_minority(db_session, to_train)
    row = row or _least_certain(db_session, to_train)
    if row is not None:
        return Pick(row, by_model=True)
    # Where nothing is predicted yet, the random order explores best.
    row = _after(db_session, candidates, Image.random_key, None)
    return None if row is None else Pick(row, by_model=of_class)


def _audit_is_due(db_session: Session) -> bool:
    labelled = db_session.scalar(select(func.count()).where(Image.status == ImageStatus.LABELED)) or 0
    return labelled % AUDIT_INTERVAL == AUDIT_INTERVAL - 1


def _after(
    db_session: Session, candidates: Select[Any], key: InstrumentedAttribute[Any], value: float | None
) -> ImageRow | None:
    """The first behind `value` in ascending order of `key`; from the start again where nothing is behind.

    One whose features are ready goes before those that still wait, if it is near.
    """
    ordered = candidates.order_by(key).limit(1)
    row = db_session.execute(ordered.where(key > value)).first() if value is not None else None
    first = _optional(row or db_session.execute(ordered).first())
    if first is None or first.image.features is FeatureState.READY:
        return first
    near = candidates.with_only_columns(Image.id, Image.features).where(key >= getattr(first.image, key.key))
    for image_id, features in db_session.execute(near.order_by(key).limit(READY_WINDOW)):
        if features is FeatureState.READY:
            return _optional(db_session.execute(candidates.where(Image.id == image_id)).first())
    return first


def _random_key(db_session: Session, image_id: int | None) -> float | None:
    return None if image_id is None else db_session.scalar(select(Image.random_key).where(Image.id == image_id))


def _least_certain(db_session: Session, candidates: Select[Any]) -> ImageRow | None:
    ordered = candidates.where(Image.uncertainty.is_not(None)).order_by(Image.uncertainty.desc()).limit(1)
    return _optional(db_session.execute(ordered).first())


def _least_certain_minority(db_session: Session, candidates: Select[Any]) -> ImageRow | None:
    for class_id in _classes_by_count(db_session):
        of_class = candidates.where(Image.predicted_class_id == class_id, Image.uncertainty.is_not(None))
        row = db_session.execute(of_class.order_by(Image.uncertainty.desc()).limit(1)).first()
        if row is not None:
            return to_row(row)
    return None


def _classes_by_count(db_session: Session) -> list[int]:
    """Present classes, fewest annotations first."""
    points, labels, marks, regions = (
        select(func.count()).where(table.class_id == LabelClass.id).correlate(LabelClass).scalar_subquery()
        for table in ANNOTATION_TABLES
    )
    statement = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    return list(
        db_session.scalars(statement.order_by(points + labels + marks + regions, LabelClass.position, LabelClass.id))
    )


def _optional(row: Any) -> ImageRow | None:
    return None if row is None else to_row(row)
