"""Images in pages, filtered and sorted: from a cursor on, or from a place in the list on."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.errors import InvalidInputError
from db.queries.image_filters import ImageFilter, conditions
from db.queries.images import ImageRow, rows_in_order, rows_of_images, to_row
from db.tables.images import Image


class ImageSort(StrEnum):
    """Order of a list of images. Those without a prediction come last where the prediction decides."""

    ID = "id"
    PATH = "path"
    UNCERTAINTY = "uncertainty"
    """Least certain first."""
    CONFIDENCE = "confidence"
    """Most certain first."""
    PREDICTED = "predicted"
    """By predicted class, the most certain of each first."""
    CHANGED = "changed"
    """The one annotated last first."""

    @property
    def asks_model(self) -> bool:
        """What a head said decides the order."""
        return self in (ImageSort.UNCERTAINTY, ImageSort.CONFIDENCE, ImageSort.PREDICTED)


@dataclass(frozen=True)
class ImagePage:
    """Part of a list."""

    rows: list[ImageRow]
    next_cursor: str | None
    total: int | None
    """None where it was not asked for."""


def list_images(
    db_session: Session,
    wanted: ImageFilter,
    *,
    sort: ImageSort,
    cursor: str | None,
    limit: int,
    count: bool = True,
) -> ImagePage:
    """One page from a cursor on, in two queries whatever its length.

    Raises:
        InvalidInputError: the cursor is not one that this list gave.
    """
    where = conditions(db_session, wanted)
    total = count_images(db_session, wanted) if count else None
    statement = rows_of_images().where(*where)
    if cursor is not None:
        statement = statement.where(_behind(sort, *_decode_cursor(sort, cursor)))
    rows = [to_row(row) for row in db_session.execute(statement.order_by(*_order(sort)).limit(limit + 1))]
    more = len(rows) > limit
    rows = rows[:limit]
    return ImagePage(rows, _encode_cursor(sort, rows[-1].image) if more else None, total)


def list_images_at(
    db_session: Session, wanted: ImageFilter, *, sort: ImageSort, offset: int, limit: int, count: bool = True
) -> ImagePage:
    """One page from a place in the list on, counted from 0: what a scroll bar asks for."""
    # The ids first: they are found along an index, without reading a row for each of those before.
    ids = list_ids(db_session, wanted, sort=sort, offset=offset, limit=limit)
    rows = rows_in_order(db_session, ids)
    total = count_images(db_session, wanted) if count else None
    cursor = _encode_cursor(sort, rows[-1].image) if len(rows) == limit else None
    return ImagePage(rows, cursor, total)


def list_ids(db_session: Session, wanted: ImageFilter, *, sort: ImageSort, offset: int, limit: int) -> list[int]:
    """Ids alone, in the order of the list."""
    statement = select(Image.id).where(*conditions(db_session, wanted)).order_by(*_order(sort))
    return list(db_session.scalars(statement.offset(offset).limit(limit)))


def count_images(db_session: Session, wanted: ImageFilter) -> int:
    """How many match."""
    return db_session.scalar(select(func.count(Image.id)).where(*conditions(db_session, wanted))) or 0


def _order(sort: ImageSort) -> list[ColumnElement[Any]]:
    match sort:
        case ImageSort.UNCERTAINTY:
            return [Image.uncertainty.desc().nulls_last(), Image.id.desc()]
        case ImageSort.CONFIDENCE:
            return [Image.uncertainty.asc().nulls_last(), Image.id.asc()]
        case ImageSort.PREDICTED:
            return [Image.predicted_class_id.asc().nulls_last(), Image.uncertainty.asc().nulls_last(), Image.id.asc()]
        case ImageSort.CHANGED:
            return [Image.label_sequence.desc(), Image.id.desc()]
        case ImageSort.PATH:
            return [Image.path.asc()]
        case ImageSort.ID:
            return [Image.id.asc()]


def _keys(sort: ImageSort) -> list[InstrumentedAttribute[Any]]:
    """What the order goes by, before the id."""
    keys: dict[ImageSort, list[InstrumentedAttribute[Any]]] = {
        ImageSort.ID: [],
        ImageSort.PATH: [Image.path],
        ImageSort.UNCERTAINTY: [Image.uncertainty],
        ImageSort.CONFIDENCE: [Image.uncertainty],
        ImageSort.PREDICTED: [Image.predicted_class_id, Image.uncertainty],
        ImageSort.CHANGED: [Image.label_sequence],
    }
    return keys[sort]


DESCENDING = frozenset({ImageSort.UNCERTAINTY, ImageSort.CHANGED})


def _behind(sort: ImageSort, values: list[Any], image_id: int) -> ColumnElement[bool]:
    """The images that follow a given one in the order: the same first keys, and a later one of the next."""
    descending = sort in DESCENDING
    found: ColumnElement[bool] = Image.id < image_id if descending else Image.id > image_id
    for key, value in reversed(list(zip(_keys(sort), values, strict=True))):
        if value is None:
            found = and_(key.is_(None), found)
            continue
        later = key < value if descending else key > value
        after = or_(later, and_(key == value, found))
        found = or_(after, key.is_(None)) if key.nullable else after
    return found


def _encode_cursor(sort: ImageSort, image: Image) -> str:
    values = [getattr(image, key.key) for key in _keys(sort)]
    return base64.urlsafe_b64encode(json.dumps([sort.value, values, image.id]).encode()).decode()


def _decode_cursor(sort: ImageSort, cursor: str) -> tuple[list[Any], int]:
    try:
        found, values, image_id = json.loads(base64.urlsafe_b64decode(cursor))
        # A lone surrogate is valid in JSON, but no database takes it.
        str(values).encode()
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _bad_cursor(cursor) from error
    is_known = found == sort.value and isinstance(values, list) and _fit(_keys(sort), values)
    if not (is_known and isinstance(image_id, int) and abs(image_id) < 2**63):
        raise _bad_cursor(cursor)
    return values, image_id


def _fit(keys: list[InstrumentedAttribute[Any]], values: list[Any]) -> bool:
    def fits(key: InstrumentedAttribute[Any], value: Any) -> bool:
        if value is None:
            return bool(key.nullable)
        kind = key.type.python_type
        is_large = isinstance(value, int) and abs(value) >= 2**63
        return (
            not isinstance(value, bool) and isinstance(value, (int, float) if kind is float else kind) and not is_large
        )

    return len(keys) == len(values) and all(map(fits, keys, values))


def _bad_cursor(cursor: str) -> InvalidInputError:
    return InvalidInputError(
        f"cursor {cursor[:40]!r} is not one of this list: pass next_cursor of the page before, with the same sort"
    )
