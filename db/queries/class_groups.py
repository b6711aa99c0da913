"""Groups of classes that exclude each other, where an image may have several classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session, aliased

from db.enums import JobKind
from db.errors import ConflictError, InvalidInputError
from db.queries.jobs import request_job
from db.queries.session_info import get_session_info
from db.tables.annotations import ImageClass
from db.tables.session import LabelClass
from db.tasks import Annotates


def class_groups(db_session: Session) -> dict[int, str]:
    """Group by class id, of all classes that are or were in one, in the order of the classes."""
    statement = select(LabelClass.id, LabelClass.exclusive_group).where(LabelClass.exclusive_group.is_not(None))
    rows = db_session.execute(statement.order_by(LabelClass.position, LabelClass.id)).all()
    return {class_id: str(group) for class_id, group in rows}


@dataclass(frozen=True)
class UnaskedClasses:
    """Which classes the answer for an image was not about, where an image may have several."""

    spans: dict[int, tuple[tuple[int, int | None], ...]]
    """`LabelClass.unasked` of the classes that have any."""
    groups: dict[int, str]

    def of(self, answered_at: int, held: Collection[int]) -> tuple[int, ...]:
        """Classes of which an answer that `held` hold, given then, says nothing.

        One that excludes a class that holds does not hold, whether or not it was there to choose.
        """
        if not self.spans:
            return ()
        taken = {self.groups[class_id] for class_id in held if class_id in self.groups}
        return tuple(
            class_id
            for class_id, spans in self.spans.items()
            if class_id not in held
            and self.groups.get(class_id) not in taken
            and any(first <= answered_at and (last is None or answered_at <= last) for first, last in spans)
        )


def unasked_classes(db_session: Session) -> UnaskedClasses:
    """Of all classes that are present, as they are now."""
    present = select(LabelClass.id, LabelClass.unasked).where(LabelClass.removed_at.is_(None)).order_by(LabelClass.id)
    spans = {class_id: tuple((first, last) for first, last in found) for class_id, found in db_session.execute(present)}
    return UnaskedClasses({class_id: found for class_id, found in spans.items() if found}, class_groups(db_session))


def put_into_group(db_session: Session, label_class: LabelClass, group: str | None) -> None:
    """Let a class exclude the others of a group; None takes it out of its own.

    Raises:
        InvalidInputError: an image of this session has one class anyway.
        ConflictError: images have the class together with one that it would exclude.
    """
    if group is not None:
        group = _known_spelling(db_session, group)
        others = (LabelClass.exclusive_group == group) & (LabelClass.id != label_class.id)
        count = _count_with_both(db_session, label_class.id, others)
        if count:
            raise ConflictError(
                f"{_images(count)} {label_class.name} together with another class of the group {group!r}: "
                "take one of the two off them first"
            )
    if label_class.exclusive_group == group:
        return
    label_class.exclusive_group = group
    get_session_info(db_session).label_sequence += 1
    request_job(db_session, JobKind.REFIT)
    db_session.flush()


def merge_image_classes(db_session: Session, source: LabelClass, target: LabelClass) -> None:
    """Give the images of one class to another; those that have both keep the latter.

    Raises:
        ConflictError: images have `source` together with a class that excludes `target`.
    """
    others = LabelClass.exclusive_group == target.exclusive_group
    others &= LabelClass.id.not_in([source.id, target.id])
    count = 0 if target.exclusive_group is None else _count_with_both(db_session, source.id, others)
    if count:
        raise ConflictError(
            f"{_images(count)} {source.name} together with a class that excludes {target.name} (group "
            f"{target.exclusive_group!r}): take one of the two off them first"
        )
    has_target = select(ImageClass.image_id).where(ImageClass.class_id == target.id)
    db_session.execute(
        delete(ImageClass)
        .where(ImageClass.class_id == source.id, ImageClass.image_id.in_(has_target))
        .execution_options(synchronize_session=False)
    )
    db_session.execute(update(ImageClass).where(ImageClass.class_id == source.id).values(class_id=target.id))


def _known_spelling(db_session: Session, group: str) -> str:
    """The group as the classes that are in it spell it: capitals make no other group."""
    if get_session_info(db_session).task.annotates is not Annotates.CLASSES:
        raise InvalidInputError(
            f"group is {group!r}, but an image of this session has one class anyway: leave the group out"
        )
    known = {name.casefold(): name for name in class_groups(db_session).values()}
    return known.get(group.casefold(), group)


def _count_with_both(db_session: Session, class_id: int, others: ColumnElement[bool]) -> int:
    """Number of images with the class and one of `others`."""
    other = aliased(ImageClass)
    statement = (
        select(func.count(ImageClass.image_id.distinct()))
        .join(other, other.image_id == ImageClass.image_id)
        .join(LabelClass, LabelClass.id == other.class_id)
        .where(ImageClass.class_id == class_id, others)
    )
    return db_session.scalar(statement) or 0


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count} images have"
