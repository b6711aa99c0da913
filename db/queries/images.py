"""Images: lists in pages, the next one to label, neighbours."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.enums import FeatureState, ImageStatus, Split
from db.errors import InvalidInputError, NotFoundError
from db.queries.session_info import Strategy
from db.tables.annotations import ImageClass, Label, Point
from db.tables.images import Image
from db.tables.session import LabelClass

ASKING_THE_MODEL = frozenset({Strategy.LEAST_CONFIDENT, Strategy.LEAST_CONFIDENT_MINORITY})
READY_WINDOW = 64
"""So many images ahead are looked through for one whose features are there, before one is shown that has none yet."""
AUDIT_INTERVAL = 10
"""One image in so many is picked at random, so that there are images to measure on."""


class ImageSort(StrEnum):
    """Order of a list of images; `uncertainty` puts the least certain first and those without a prediction last."""

    ID = "id"
    PATH = "path"
    UNCERTAINTY = "uncertainty"


@dataclass(frozen=True)
class ImageFilter:
    """Which images; None lets all pass."""

    status: ImageStatus | None = None
    """Unlabelled leaves out images that cannot be used, unless `features` asks for them."""
    class_id: int | None = None
    """Annotated with this class."""
    q: str | None = None
    """Part of the path, or the id."""
    features: FeatureState | None = None


@dataclass(frozen=True)
class ImageRow:
    """An image and what stands on it."""

    image: Image
    class_id: int | None
    point_count: int
    class_ids: tuple[int, ...] = ()
    """Where an image may have several."""


@dataclass(frozen=True)
class Pick:
    """The image to label next."""

    row: ImageRow
    by_model: bool
    """What the model said of the image decided."""


@dataclass(frozen=True)
class ImagePage:
    """Part of a list."""

    rows: list[ImageRow]
    next_cursor: str | None
    total: int


def get_image(db_session: Session, image_id: int, *, lock: bool = False) -> Image:
    """One image.

    Args:
        lock: the transaction is going to change its annotation.

    Raises:
        NotFoundError: there is none with this id.
    """
    image = db_session.get(Image, image_id, with_for_update=True if lock else None)
    if image is None:
        raise NotFoundError(f"there is no image {image_id}")
    return image


def get_image_row(db_session: Session, image_id: int) -> ImageRow:
    """One image with its class and number of points.

    Raises:
        NotFoundError: there is none with this id.
    """
    row = db_session.execute(_rows().where(Image.id == image_id)).first()
    if row is None:
        raise NotFoundError(f"there is no image {image_id}")
    return _image_row(row)


def neighbours(db_session: Session, image_id: int) -> tuple[int | None, int | None]:
    """Ids of the images before and after, in order of id."""
    before = select(func.max(Image.id)).where(Image.id < image_id)
    after = select(func.min(Image.id)).where(Image.id > image_id)
    return db_session.scalar(before), db_session.scalar(after)


def list_images(
    db_session: Session, wanted: ImageFilter, *, sort: ImageSort, cursor: str | None, limit: int
) -> ImagePage:
    """One page, in two queries whatever its length.

    Raises:
        InvalidInputError: the cursor is not one that this list gave.
    """
    conditions = _conditions(wanted)
    total = db_session.scalar(select(func.count()).select_from(Image).where(*conditions)) or 0
    statement = _rows().where(*conditions)
    if cursor is not None:
        statement = statement.where(_behind(sort, *_decode_cursor(sort, cursor)))
    rows = [_image_row(row) for row in db_session.execute(statement.order_by(*_order(sort)).limit(limit + 1))]
    more = len(rows) > limit
    rows = rows[:limit]
    return ImagePage(rows, _encode_cursor(sort, rows[-1].image) if more else None, total)


def next_image(
    db_session: Session, strategy: Strategy, *, current_id: int | None = None, class_id: int | None = None
) -> Pick | None:
    """The unlabelled image to label next; never `current_id` itself; None when no other is left.

    Each strategy is one read along an index; a second one where a round ends, or where nothing is predicted yet. Under
    a strategy that asks the model, every tenth pick is an audit image: the next in random order.

    Args:
        class_id: only images whose newest prediction is this class.
    """
    candidates = _rows().where(Image.status == ImageStatus.UNLABELED, Image.features != FeatureState.FAILED)
    if current_id is not None:
        candidates = candidates.where(Image.id != current_id)
    if class_id is not None:
        candidates = candidates.where(Image.predicted_class_id == class_id)
    if strategy in ASKING_THE_MODEL:
        return _ask_model(db_session, strategy, candidates, of_class=class_id is not None)
    if strategy is Strategy.SEQUENTIAL:
        row = _after(db_session, candidates, Image.id, current_id)
    else:
        row = _after(db_session, candidates, Image.random_key, _random_key(db_session, current_id))
    return None if row is None else Pick(row, by_model=class_id is not None)


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


def _rows() -> Select[tuple[Image, int | None, int, str | None]]:
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    label = (
        select(Label.class_id).where(Label.image_id == Image.id, Label.class_id.in_(present)).correlate(Image)
    ).scalar_subquery()
    points = (
        select(func.count()).where(Point.image_id == Image.id, Point.class_id.in_(present)).correlate(Image)
    ).scalar_subquery()
    classes = (
        select(func.aggregate_strings(cast(ImageClass.class_id, String), ","))
        .where(ImageClass.image_id == Image.id, ImageClass.class_id.in_(present))
        .correlate(Image)
    ).scalar_subquery()
    return select(Image, label, points, classes)


def _conditions(wanted: ImageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(Image.status == wanted.status)
    if wanted.features is not None:
        conditions.append(Image.features == wanted.features)
    elif wanted.status is ImageStatus.UNLABELED:
        # What cannot be used is not waiting for a label.
        conditions.append(Image.features != FeatureState.FAILED)
    if wanted.class_id is not None:
        conditions.append(
            exists().where(Point.image_id == Image.id, Point.class_id == wanted.class_id)
            | exists().where(Label.image_id == Image.id, Label.class_id == wanted.class_id)
            | exists().where(ImageClass.image_id == Image.id, ImageClass.class_id == wanted.class_id)
        )
    if wanted.q:
        in_path: ColumnElement[bool] = Image.path.icontains(wanted.q, autoescape=True)
        # An id has at most 19 digits in the database.
        is_id = wanted.q.isascii() and wanted.q.isdecimal() and len(wanted.q) < 19
        conditions.append(in_path | (Image.id == int(wanted.q)) if is_id else in_path)
    return conditions


def _order(sort: ImageSort) -> list[ColumnElement[Any]]:
    if sort is ImageSort.UNCERTAINTY:
        return [Image.uncertainty.desc().nulls_last(), Image.id.desc()]
    return [Image.path.asc() if sort is ImageSort.PATH else Image.id.asc()]


def _behind(sort: ImageSort, value: str | float | None, image_id: int) -> ColumnElement[bool]:
    """The images that follow a given one in the order."""
    if sort is ImageSort.ID:
        return Image.id > image_id
    if sort is ImageSort.PATH:
        return Image.path > value
    has_none = Image.uncertainty.is_(None)
    if value is None:
        return and_(has_none, Image.id < image_id)
    return or_(Image.uncertainty < value, and_(Image.uncertainty == value, Image.id < image_id), has_none)


def _encode_cursor(sort: ImageSort, image: Image) -> str:
    value = {ImageSort.ID: None, ImageSort.PATH: image.path, ImageSort.UNCERTAINTY: image.uncertainty}[sort]
    return base64.urlsafe_b64encode(json.dumps([sort.value, value, image.id]).encode()).decode()


def _decode_cursor(sort: ImageSort, cursor: str) -> tuple[Any, int]:
    kinds: dict[ImageSort, Any] = {
        ImageSort.ID: type(None),
        ImageSort.PATH: str,
        ImageSort.UNCERTAINTY: (float, type(None)),
    }
    try:
        found, value, image_id = json.loads(base64.urlsafe_b64decode(cursor))
        # A lone surrogate is valid in JSON, but no database takes it.
        str(value).encode()
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _bad_cursor(cursor) from error
    is_known = found == sort.value and isinstance(value, kinds[sort])
    if not (is_known and isinstance(image_id, int) and abs(image_id) < 2**63):
        raise _bad_cursor(cursor)
    return value, image_id


def _bad_cursor(cursor: str) -> InvalidInputError:
    return InvalidInputError(
        f"cursor {cursor[:40]!r} is not one of this list: pass next_cursor of the page before, with the same sort"
    )


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
            return _image_row(row)
    return None


def _classes_by_count(db_session: Session) -> list[int]:
    """Present classes, fewest annotations first."""
    points, labels, marks = (
        select(func.count()).where(table.class_id == LabelClass.id).correlate(LabelClass).scalar_subquery()
        for table in (Point, Label, ImageClass)
    )
    statement = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    return list(db_session.scalars(statement.order_by(points + labels + marks, LabelClass.position, LabelClass.id)))


def _optional(row: Any) -> ImageRow | None:
    return None if row is None else _image_row(row)


def _image_row(row: Any) -> ImageRow:
    image, class_id, point_count, classes = row
    return ImageRow(
        image, class_id, point_count, tuple(sorted(int(found) for found in (classes or "").split(",") if found))
    )
