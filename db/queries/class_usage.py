"""What is said with a class, for a person who thinks of removing it, and which classes were removed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from db.tables.annotations import ANNOTATION_TABLES
from db.tables.session import ClassMerge, LabelClass


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


def removed_classes(db_session: Session) -> list[tuple[LabelClass, ClassUsage]]:
    """Classes that can be brought back, the last one removed first, with what they had."""
    noted = {merge.class_id: ClassUsage(**merge.usage) for merge in db_session.scalars(select(ClassMerge))}
    can_return = LabelClass.merged_into_id.is_(None) | LabelClass.id.in_(noted)
    wanted = select(LabelClass).where(LabelClass.removed_at.is_not(None), can_return)
    found = db_session.scalars(wanted.order_by(LabelClass.removed_at.desc(), LabelClass.id.desc()))
    return [(removed, noted.get(removed.id) or class_usage(db_session, removed.id)) for removed in found]
