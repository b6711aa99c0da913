"""Classes: added, changed, merged, removed and restored while people label."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.palette import distinct_color
from db.queries.class_effects import affected_images, count_annotations, note_change
from db.queries.class_groups import put_into_group, require_no_rivals_above, require_no_rivals_restored
from db.queries.class_merging import merge
from db.queries.class_tree import check_parent, number, place_before, read_tree
from db.queries.class_unmerging import unmerge
from db.queries.session_info import get_session_info
from db.tables.session import LabelClass
from db.tasks import Annotates


def list_classes(db_session: Session) -> list[LabelClass]:
    """The classes that can be assigned, in their order."""
    statement = select(LabelClass).where(LabelClass.removed_at.is_(None))
    return list(db_session.scalars(statement.order_by(LabelClass.position, LabelClass.id)))


def get_class(db_session: Session, class_id: int) -> LabelClass:
    """A class that can be assigned.

    Raises:
        NotFoundError: there is none, or it was removed.
    """
    label_class = db_session.get(LabelClass, class_id)
    if label_class is None or label_class.removed_at is not None:
        listed = ", ".join(f"{c.id} ({c.name})" for c in list_classes(db_session)) or "none"
        raise NotFoundError(f"there is no class {class_id}: the classes are {listed}")
    return label_class


def add_class(
    db_session: Session, name: str, color: str | None, group: str | None = None, parent_id: int | None = None
) -> LabelClass:
    """Add a class behind the others of its parent; without a colour it gets one unlike those of all others.

    Raises:
        ConflictError: the name is taken, or the group excludes a class above.
        InvalidInputError: a group, though an image of this session has one class anyway.
        NotFoundError: no such parent.
    """
    _require_free_name(db_session, name)
    present = list_classes(db_session)
    if parent_id is not None:
        get_class(db_session, parent_id)
    label_class = LabelClass(
        name=name,
        color=(color or distinct_color([c.color for c in present])).upper(),
        parent_id=parent_id,
        position=max(db_session.scalars(select(LabelClass.position)), default=-1) + 1,
        unasked=[[0, get_session_info(db_session).label_sequence]],
    )
    db_session.add(label_class)
    db_session.flush()
    number(db_session)
    if group is not None:
        put_into_group(db_session, label_class, group)
    return label_class


def change_class(db_session: Session, class_id: int, *, name: str | None, color: str | None) -> LabelClass:
    """Rename or recolour; None leaves as it is.

    Raises:
        NotFoundError: no such class.
        ConflictError: the name is taken.
    """
    label_class = get_class(db_session, class_id)
    if name is not None and name != label_class.name:
        _require_free_name(db_session, name, but=class_id)
        label_class.name = name
    if color is not None:
        label_class.color = color.upper()
    db_session.flush()
    return label_class


def move_class(db_session: Session, class_id: int, *, parent_id: int | None, before_id: int | None) -> LabelClass:
    """Put a class, with all below it, under another one (None: at the top), in front of one of those there or last.

    Where an image may have several classes, images with the class have those above it too, from now on.

    Raises:
        NotFoundError: no such class or parent.
        InvalidInputError: the parent stands below the class, or `before_id` names a class elsewhere.
        ConflictError: images would have classes together that exclude each other.
    """
    label_class = get_class(db_session, class_id)
    tree = read_tree(db_session)
    if parent_id is not None:
        get_class(db_session, parent_id)
        check_parent(tree, class_id, parent_id)
        require_no_rivals_above(db_session, label_class, parent_id)
    is_elsewhere = parent_id != tree.parent(class_id)
    label_class.parent_id = parent_id
    db_session.flush()
    place_before(db_session, class_id, before_id)
    if is_elsewhere and get_session_info(db_session).task.annotates is Annotates.CLASSES:
        note_change(db_session, affected_images(db_session, *tree.below(class_id)))
    return label_class


def merge_class(db_session: Session, class_id: int, into_id: int) -> tuple[LabelClass, int]:
    """Give all annotations of a class, those in histories too, to another one, and remove the empty class, until
    `restore_class` brings it back.

    Returns:
        The class that took over, and the number of points and labels it got.

    Raises:
        NotFoundError: one of the two does not exist.
        InvalidInputError: both are the same.
        ConflictError: images have the class together with one that excludes the other.
    """
    if class_id == into_id:
        raise InvalidInputError(f"class {class_id} cannot be merged into itself: name another one in merge_into")
    source, target = get_class(db_session, class_id), get_class(db_session, into_id)
    return target, merge(db_session, source, target)


def remove_class(db_session: Session, class_id: int) -> tuple[int, int]:
    """Remove a class. Its annotations stay in the tables, hidden, for `restore_class`.

    Returns:
        Number of annotations hidden, and of images that they belong to.

    Raises:
        NotFoundError: no such class.
        ConflictError: it is the last one.
    """
    label_class = get_class(db_session, class_id)
    if len(list_classes(db_session)) == 1:
        raise ConflictError(f"{label_class.name} is the only class of the session: add another one before removing it")
    count, images = count_annotations(db_session, class_id), affected_images(db_session, class_id)
    label_class.removed_at = utc_now()
    label_class.unasked = [*label_class.unasked, [get_session_info(db_session).label_sequence + 1, None]]
    db_session.flush()
    note_change(db_session, images)
    return count, len(images)


def restore_class(db_session: Session, class_id: int) -> tuple[LabelClass, int, int]:
    """Undo `remove_class` or `merge_class`: the class comes back with its annotations.

    Returns:
        The class, the number of annotations that it has again, and of those that it had before a merge and that have
        been changed since: they stay as they are.

    Raises:
        NotFoundError: there never was such a class.
        ConflictError: it is not removed, was merged before that could be undone, or another class after it into the
            same one, another class has its name now, or images have classes by now that it would exclude.
    """
    label_class = db_session.get(LabelClass, class_id)
    if label_class is None:
        raise NotFoundError(f"there is no class {class_id}, nor was there one")
    if label_class.removed_at is None:
        raise ConflictError(f"class {class_id} ({label_class.name}) is not removed")
    taken = _same_name(db_session, label_class.name, but=class_id)
    if taken is not None:
        raise ConflictError(
            f"there is a class {taken.name!r} already (id {taken.id}): rename it before bringing this one back"
        )
    if label_class.merged_into_id is not None:
        return label_class, *unmerge(db_session, label_class)
    require_no_rivals_restored(db_session, label_class)
    label_class.removed_at = None
    until = get_session_info(db_session).label_sequence
    label_class.unasked = [[first, until if last is None else last] for first, last in label_class.unasked]
    db_session.flush()
    note_change(db_session, affected_images(db_session, class_id))
    return label_class, count_annotations(db_session, class_id), 0


def _require_free_name(db_session: Session, name: str, but: int | None = None) -> None:
    taken = _same_name(db_session, name, but)
    if taken is not None:
        raise ConflictError(
            f"there is a class {taken.name!r} already (id {taken.id}): choose another name than {name!r}"
        )


def _same_name(db_session: Session, name: str, but: int | None) -> LabelClass | None:
    """Names differ in more than capitals, so that nobody, and no file system, takes one for another."""
    others = (other for other in list_classes(db_session) if other.id != but)
    return next((other for other in others if other.name.casefold() == name.casefold()), None)
