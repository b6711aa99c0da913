"""Counts and quality, computed in the database."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from sqlalchemy import BigInteger, Column, cast, distinct, extract, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.enums import FeatureState, ImageStatus, Origin
from db.tables.annotations import ImageClass, Label, Point
from db.tables.images import Image
from db.tables.session import LabelClass

MADE_BY_PEOPLE = (Origin.HUMAN, Origin.ACCEPTED)
HOUR_S = 3600


def count_by_status(db_session: Session) -> dict[ImageStatus, int]:
    """Number of images in each status that occurs."""
    return _count_by(db_session, Image.status)


def count_unusable(db_session: Session) -> int:
    """Unlabelled images whose features failed: nobody has to label them."""
    rows = (Image.features == FeatureState.FAILED, Image.status == ImageStatus.UNLABELED)
    return db_session.scalar(select(func.count()).where(*rows)) or 0


def count_by_features(db_session: Session) -> dict[FeatureState, int]:
    """Number of images in each state of their features that occurs."""
    return _count_by(db_session, Image.features)


def count_by_class(db_session: Session) -> list[tuple[int, int, int]]:
    """(class id, images, points) of every present class, in their order."""
    points = {
        class_id: (images, count)
        for class_id, images, count in db_session.execute(
            select(Point.class_id, func.count(distinct(Point.image_id)), func.count()).group_by(Point.class_id)
        )
    }
    labels: dict[int | None, int] = {}
    for column in (Label.class_id, ImageClass.class_id):
        labels |= dict(db_session.execute(select(column, func.count()).group_by(column)).all())
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    ordered = db_session.scalars(present.order_by(LabelClass.position, LabelClass.id))
    return [(c, points.get(c, (0, 0))[0] + labels.get(c, 0), points.get(c, (0, 0))[1]) for c in ordered]


def count_annotations(db_session: Session) -> int:
    """Points and labels of the classes that are present, and images that were said to have none of the classes."""
    without = db_session.scalar(select(func.count()).where(ImageClass.class_id.is_(None))) or 0
    return without + sum(max(images, points) for _class_id, images, points in count_by_class(db_session))


def annotations_per_hour(db_session: Session, hours: int) -> list[tuple[dt.datetime, int]]:
    """(start of the hour, points and labels made by people in it), the last `hours` with any, oldest first."""
    counts: dict[int, int] = defaultdict(int)
    for table in (Point, Label, ImageClass):
        seconds = cast(extract("epoch", table.created_at), BigInteger)
        start = (seconds - seconds % HOUR_S).label("start")
        statement = select(start, func.count()).where(table.origin.in_(MADE_BY_PEOPLE)).group_by(start)
        for hour, count in db_session.execute(statement.order_by(start.desc()).limit(hours)):
            counts[int(hour)] += count
    newest = sorted(counts)[-hours:]
    return [(dt.datetime.fromtimestamp(hour, dt.UTC), counts[hour]) for hour in newest]


def any_annotation(db_session: Session) -> bool:
    """Whether `count_annotations` is more than 0; one look into the indexes."""
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    of_classes = [
        select(column).where(column.in_(present)).limit(1)
        for column in (Point.class_id, Label.class_id, ImageClass.class_id)
    ]
    of_none = select(ImageClass.id).where(ImageClass.class_id.is_(None)).limit(1)
    return any(db_session.execute(statement).first() is not None for statement in (*of_classes, of_none))


def _count_by(db_session: Session, column: InstrumentedAttribute[Any] | Column[Any]) -> dict[Any, int]:
    return dict(db_session.execute(select(column, func.count()).group_by(column)).all())
