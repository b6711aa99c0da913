"""Images in pages, filtered and sorted."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus
from db.errors import InvalidInputError
from db.queries.class_tree import read_tree
from db.queries.images import ImageRow, rows_of_images, to_row
from db.tables.annotations import ImageClass, Label, Point, Region
from db.tables.images import Image


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
    """Annotated with this class, or with one below it."""
    q: str | None = None
    """Part of the path, or the id."""
    features: FeatureState | None = None


@dataclass(frozen=True)
class ImagePage:
    """Part of a list."""

    rows: list[ImageRow]
    next_cursor: str | None
    total: int


def list_images(
    db_session: Session, wanted: ImageFilter, *, sort: ImageSort, cursor: str | None, limit: int
) -> ImagePage:
    """One page, in two queries whatever its length.

    Raises:
        InvalidInputError: the cursor is not one that this list gave.
    """
    conditions = _conditions(db_session, wanted)
    total = db_session.scalar(select(func.count()).select_from(Image).where(*conditions)) or 0
    statement = rows_of_images().where(*conditions)
    if cursor is not None:
        statement = statement.where(_behind(sort, *_decode_cursor(sort, cursor)))
    rows = [to_row(row) for row in db_session.execute(statement.order_by(*_order(sort)).limit(limit + 1))]
    more = len(rows) > limit
    rows = rows[:limit]
    return ImagePage(rows, _encode_cursor(sort, rows[-1].image) if more else None, total)


def _conditions(db_session: Session, wanted: ImageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(Image.status == wanted.status)
    if wanted.features is not None:
        conditions.append(Image.features == wanted.features)
    elif wanted.status is ImageStatus.UNLABELED:
        # What cannot be used is not waiting for a label.
        conditions.append(Image.features != FeatureState.FAILED)
    if wanted.class_id is not None:
        tree = read_tree(db_session)
        # A class that was removed is asked for by itself.
        meant = (tree.below(wanted.class_id) & tree.present) | {wanted.class_id}
        conditions.append(
            or_(
                *(
                    exists().where(table.image_id == Image.id, table.class_id.in_(meant))
                    for table in (Point, Label, ImageClass, Region)
                )
            )
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
