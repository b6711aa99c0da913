"""Groups of classes that exclude each other, where an image may have several classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from db.enums import JobKind
from db.errors import ConflictError, InvalidInputError
from db.queries.class_tree import read_tree
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
    above: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Classes that one implies, of the classes that imply any."""

    def of(self, answered_at: int, held: Collection[int]) -> tuple[int, ...]:
        """Classes of which an answer that `held` hold, given then, says nothing.

        One that excludes a class that holds does not hold, whether or not it was there to choose; nor does one that
        stands below a class that does not hold.
        """
        if not self.spans:
            return ()
        taken = {self.groups[class_id] for class_id in held if class_id in self.groups}
        unasked = [
            class_id
            for class_id, spans in self.spans.items()
            if class_id not in held
            and self.groups.get(class_id) not in taken
            and any(first <= answered_at and (last is None or answered_at <= last) for first, last in spans)
        ]
        open_above = {*held, *unasked}
        return tuple(
            class_id for class_id in unasked if all(above in open_above for above in self.above.get(class_id, ()))
        )


def unasked_classes(db_session: Session) -> UnaskedClasses:
    """Of all classes that are present, as they are now."""
    present = select(LabelClass.id, LabelClass.unasked).where(LabelClass.removed_at.is_(None)).order_by(LabelClass.id)
    spans = {class_id: tuple((first, last) for first, last in found) for class_id, found in db_session.execute(present)}
    unasked = {class_id: found for class_id, found in spans.items() if found}
    if not unasked:
        return UnaskedClasses({}, {})
    tree = read_tree(db_session)
    return UnaskedClasses(unasked, class_groups(db_session), {class_id: tree.above(class_id) for class_id in spans})


def put_into_group(db_session: Session, label_class: LabelClass, group: str | None) -> None:
    """Let a class exclude the others of a group; None takes it out of its own.

    Raises:
        InvalidInputError: an image of this session has one class anyway.
        ConflictError: images have the class together with one that it would exclude, or it stands above or below one.
    """
    if group is not None:
        group = _known_spelling(db_session, group)
        below = read_tree(db_session).below(label_class.id)
        _require_no_rivals(db_session, label_class, below, label_class.id, group)
    if label_class.exclusive_group == group:
        return
    label_class.exclusive_group = group
    get_session_info(db_session).label_sequence += 1
    request_job(db_session, JobKind.REFIT)
    db_session.flush()


def require_no_rivals_above(db_session: Session, label_class: LabelClass, parent_id: int) -> None:
    """Refuse to put a class below another one if that, or one above it, is excluded by what the images have.

    Raises:
        ConflictError: images have the class, or one below it, together with such a class, or it excludes one of those
            above itself.
    """
    tree, groups = read_tree(db_session), class_groups(db_session)
    for above in (parent_id, *tree.line(parent_id)):
        if above not in groups:
            continue
        if groups[above] == label_class.exclusive_group:
            raise _one_above_the_other(label_class.name, db_session.get_one(LabelClass, above).name, groups[above])
        _require_no_rivals(db_session, label_class, tree.below(label_class.id), above, groups[above])


def require_no_rivals_restored(db_session: Session, label_class: LabelClass) -> None:
    """Refuse to bring a removed class back if it, or one above it, is excluded by what the images have by now.

    Raises:
        ConflictError: images have the class, or one below it, together with such a class.
    """
    tree, groups = read_tree(db_session), class_groups(db_session)
    for holder in (label_class.id, *tree.above(label_class.id)):
        if holder in groups:
            _require_no_rivals(db_session, label_class, tree.below(label_class.id), holder, groups[holder])


def merge_image_classes(db_session: Session, source: LabelClass, target: LabelClass) -> None:
    """Give the images of one class to another; those that have both keep the latter.

    Raises:
        ConflictError: images have `source` together with a class that excludes `target`, or one above it.
    """
    tree, groups = read_tree(db_session), class_groups(db_session)
    moved = tree.below(source.id) - tree.below(target.id)
    for above in (target.id, *tree.line(target.id)):
        if above in groups:
            _require_no_rivals(db_session, source, moved, above, groups[above])
    has_target = select(ImageClass.image_id).where(ImageClass.class_id == target.id)
    db_session.execute(
        delete(ImageClass)
        .where(ImageClass.class_id == source.id, ImageClass.image_id.in_(has_target))
        .execution_options(synchronize_session=False)
    )
    db_session.execute(update(ImageClass).where(ImageClass.class_id == source.id).values(class_id=target.id))


def _require_no_rivals(
    db_session: Session, label_class: LabelClass, class_ids: frozenset[int], holder_id: int, group: str
) -> None:
    """Refuse to let images of some classes have a class of a group, if they have, or imply, another one of it.

    Args:
        label_class: that changes, for the message.
        class_ids: whose images would have the class; itself may have the group still.
        holder_id: the class of the group.
    """
    tree = read_tree(db_session)
    of_group = select(LabelClass.id, LabelClass.name).where(LabelClass.exclusive_group == group)
    rivals = dict(db_session.execute(of_group.where(LabelClass.id.not_in([holder_id, label_class.id]))).all())
    in_line = rivals.keys() & {*tree.line(holder_id), *class_ids}
    if in_line:
        raise _one_above_the_other(label_class.name, rivals[min(in_line)], group)
    count = _count_with_both(db_session, class_ids, set().union(*(tree.below(rival) for rival in rivals)))
    if count:
        is_own = holder_id == label_class.id
        holder = None if is_own else db_session.get_one(LabelClass, holder_id).name
        with_what = "another class of" if is_own else f"a class that excludes {holder}, of"
        raise ConflictError(
            f"{_images(count)} {label_class.name} together with {with_what} the group {group!r}: take one of the two "
            "off them first"
        )


def _one_above_the_other(name: str, other: str, group: str) -> ConflictError:
    return ConflictError(
        f"{name} and {other} would exclude each other (group {group!r}), though an image with the one has the other, "
        "as one of them stands above: take one out of the group, or the two apart"
    )


def _known_spelling(db_session: Session, group: str) -> str:
    """The group as the classes that are in it spell it: capitals make no other group."""
    if get_session_info(db_session).task.annotates is not Annotates.CLASSES:
        raise InvalidInputError(
            f"group is {group!r}, but an image of this session has one class anyway: leave the group out"
        )
    known = {name.casefold(): name for name in class_groups(db_session).values()}
    return known.get(group.casefold(), group)


def _count_with_both(db_session: Session, class_ids: Collection[int], others: Collection[int]) -> int:
    """Number of images with one of the classes and one of the others."""
    other = aliased(ImageClass)
    statement = (
        select(func.count(ImageClass.image_id.distinct()))
        .join(other, other.image_id == ImageClass.image_id)
        .where(ImageClass.class_id.in_(class_ids), other.class_id.in_(others))
    )
    return db_session.scalar(statement) or 0


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count} images have"
