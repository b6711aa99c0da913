"""Counts and quality, computed in the database."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from sqlalchemy import BigInteger, Column, cast, distinct, exists, extract, func, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.enums import FeatureState, ImageStatus, Origin, RegionOrigin
from db.queries.class_tree import read_tree
from db.tables.annotations import ANNOTATION_TABLES, ImageClass, Label, Point, Region
from db.tables.images import Image
from db.tables.session import LabelClass

MADE_BY_PEOPLE = (Origin.HUMAN, Origin.ACCEPTED)
DRAWN_BY_PEOPLE = (RegionOrigin.HUMAN, RegionOrigin.ACCEPTED, RegionOrigin.CORRECTED)
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
    # Where a class has a region in an image, and no point, the image counts all the same.
    has_point = exists().where(Point.image_id == Region.image_id, Point.class_id == Region.class_id)
    by_region = select(Region.class_id, func.count(distinct(Region.image_id))).where(~has_point)
    labels: dict[int | None, int] = dict(db_session.execute(by_region.group_by(Region.class_id)).all())
    for column in (Label.class_id, ImageClass.class_id):
        labels |= dict(db_session.execute(select(column, func.count()).group_by(column)).all())
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    ordered = db_session.scalars(present.order_by(LabelClass.position, LabelClass.id))
    return [(c, points.get(c, (0, 0))[0] + labels.get(c, 0), points.get(c, (0, 0))[1]) for c in ordered]


def count_regions(db_session: Session) -> dict[int, int]:
    """Regions by class, of those classes that have any."""
    rows = select(Region.class_id, func.count()).where(Region.class_id.is_not(None)).group_by(Region.class_id)
    return {class_id: count for class_id, count in db_session.execute(rows) if class_id is not None}


def count_below(db_session: Session) -> dict[int, tuple[int, int]]:
    """(images, points) by class, with those of all classes below it, of the present classes that have any below."""
    tree = read_tree(db_session)
    counts: dict[int, tuple[int, int]] = {}
    for class_id in {above for present in tree.present for above in tree.above(present)}:
        meant = tree.below(class_id) & tree.present
        found = [select(table.image_id).where(table.class_id.in_(meant)) for table in ANNOTATION_TABLES]
        images = select(func.count()).select_from(union(*found).subquery())
        points = select(func.count()).select_from(Point).where(Point.class_id.in_(meant))
        counts[class_id] = (db_session.scalar(images) or 0, db_session.scalar(points) or 0)
    return counts


def count_annotations(db_session: Session) -> int:
    """Points, regions and labels of the classes that are present, and images said to have none of the classes."""
    without = db_session.scalar(select(func.count()).where(ImageClass.class_id.is_(None))) or 0
    regions = count_regions(db_session)
    counts = count_by_class(db_session)
    return without + sum(max(images, points + regions.get(class_id, 0)) for class_id, images, points in counts)


def annotations_per_hour(db_session: Session, hours: int) -> list[tuple[dt.datetime, int]]:
    """(start of the hour, points, regions and labels made by people in it), the last `hours` with any, oldest first."""
    counts: dict[int, int] = defaultdict(int)
    for table in ANNOTATION_TABLES:
        seconds = cast(extract("epoch", table.created_at), BigInteger)
        start = (seconds - seconds % HOUR_S).label("start")
        by_people = DRAWN_BY_PEOPLE if table is Region else MADE_BY_PEOPLE
        statement = select(start, func.count()).where(table.origin.in_(by_people)).group_by(start)
        for hour, count in db_session.execute(statement.order_by(start.desc()).limit(hours)):
            counts[int(hour)] += count
    newest = sorted(counts)[-hours:]
    return [(dt.datetime.fromtimestamp(hour, dt.UTC), counts[hour]) for hour in newest]


def any_annotation(db_session: Session) -> bool:
    """Whether `count_annotations` is more than 0; one look into the indexes."""
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    of_classes = [
        select(column).where(column.in_(present)).limit(1)
        for column in (Point.class_id, Label.class_id, ImageClass.class_id, Region.class_id)
    ]
    of_none = select(ImageClass.id).where(ImageClass.class_id.is_(None)).limit(1)
    return any(db_session.execute(statement).first() is not None for statement in (*of_classes, of_none))


def _count_by(db_session: Session, column: InstrumentedAttribute[Any] | Column[Any]) -> dict[Any, int]:
    return dict(db_session.execute(select(column, func.count()).group_by(column)).all())
