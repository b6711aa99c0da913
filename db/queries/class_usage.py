"""What is said with a class, for a person who thinks of removing it, and which classes were removed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from db.tables.annotations import ANNOTATION_TABLES
from db.tables.session import LabelClass


@dataclass(frozen=True)
class ClassUsage:
    """Annotations of one class as they are stored, without those of the classes below it."""

    points: int
    regions: int
    labels: int
    """Of whole images."""
    images: int
    """That have any of these."""


def class_usage(db_session: Session, class_id: int) -> ClassUsage:
    """Counted now."""
    points, label, marks, regions = (
        db_session.scalar(select(func.count()).select_from(table).where(table.class_id == class_id)) or 0
        for table in ANNOTATION_TABLES
    )
    with_it = (select(table.image_id).where(table.class_id == class_id) for table in ANNOTATION_TABLES)
    images = db_session.scalar(select(func.count()).select_from(union(*with_it).subquery())) or 0
    return ClassUsage(points, regions, label + marks, images)


def removed_classes(db_session: Session) -> list[LabelClass]:
    """Classes that can be brought back, the last one removed first."""
    wanted = select(LabelClass).where(LabelClass.removed_at.is_not(None), LabelClass.merged_into_id.is_(None))
    return list(db_session.scalars(wanted.order_by(LabelClass.removed_at.desc(), LabelClass.id.desc())))
