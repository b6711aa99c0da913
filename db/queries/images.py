"""Images with what stands on them, one by one; lists are in image_lists.py, the next one to label in next_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func, select
from sqlalchemy.orm import Session

from db.enums import Origin
from db.errors import NotFoundError
from db.tables.annotations import ImageClass, Label, Point
from db.tables.images import Image
from db.tables.session import LabelClass


@dataclass(frozen=True)
class ImageRow:
    """An image and what stands on it."""

    image: Image
    class_id: int | None
    point_count: int
    class_ids: tuple[int, ...] = ()
    """Where an image may have several."""
    origin: Origin | None = None
    """Of its classes: accepted only where none of them is by a person."""


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
    row = db_session.execute(rows_of_images().where(Image.id == image_id)).first()
    if row is None:
        raise NotFoundError(f"there is no image {image_id}")
    return to_row(row)


def rows_in_order(db_session: Session, image_ids: Sequence[int]) -> list[ImageRow]:
    """Those of the images that there are, in the order of their ids as given, in one query."""
    found = {
        row.image.id: row for row in map(to_row, db_session.execute(rows_of_images().where(Image.id.in_(image_ids))))
    }
    return [found[image_id] for image_id in image_ids if image_id in found]


def neighbours(
    db_session: Session, image_id: int, only: Sequence[ColumnElement[bool]] = ()
) -> tuple[int | None, int | None]:
    """Ids of the images before and after, in order of id, of those that fulfil the conditions."""
    ids = select(Image.id).where(*only).limit(1)
    before = ids.where(Image.id < image_id).order_by(Image.id.desc())
    after = ids.where(Image.id > image_id).order_by(Image.id)
    return db_session.scalar(before), db_session.scalar(after)


def rows_of_images() -> Select[tuple[Image, int | None, int, str | None, str | None]]:
    """What `to_row` reads, to be filtered and ordered. One query, whatever stands on the images."""
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
    # The names of origins sort as accepted, extracted, human, imported: the largest is not accepted where any is not.
    label_origin = (
        select(cast(Label.origin, String))
        .where(Label.image_id == Image.id, Label.class_id.in_(present))
        .correlate(Image)
    )
    marks_origin = (
        select(func.max(cast(ImageClass.origin, String))).where(ImageClass.image_id == Image.id).correlate(Image)
    )
    origin = func.coalesce(label_origin.scalar_subquery(), marks_origin.scalar_subquery())
    return select(Image, label, points, classes, origin)


def to_row(row: Any) -> ImageRow:
    """A row of `rows_of_images`."""
    image, class_id, point_count, classes, origin = row
    class_ids = tuple(sorted(int(found) for found in (classes or "").split(",") if found))
    return ImageRow(image, class_id, point_count, class_ids, None if origin is None else Origin(origin))
