"""Classes: added, changed, merged, removed and restored while people label."""

from __future__ import annotations

from sqlalchemy import case, exists, func, insert, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import ImageStatus, JobKind
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.palette import distinct_color
from db.queries.class_groups import (
    merge_image_classes,
    put_into_group,
    require_no_rivals_above,
    require_no_rivals_restored,
)
from db.queries.class_histories import merge_histories
from db.queries.class_tree import check_parent, number, place_before, read_tree
from db.queries.jobs import request_job
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.tables.annotations import ANNOTATION_TABLES, ImageClass, Label, Point, Region
from db.tables.images import Image
from db.tables.learning import Agreement, PredictionOutcome
from db.tables.processes import Event
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
        _note_change(db_session, _affected(db_session, *tree.below(class_id)))
    return label_class


def merge_class(db_session: Session, class_id: int, into_id: int) -> tuple[LabelClass, int]:
    """Give all annotations of a class, those in histories too, to another one, and remove the empty class.

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
    count, images = _count(db_session, class_id), _affected(db_session, *read_tree(db_session).below(class_id))
    merge_image_classes(db_session, source, target)
    _merge_branches(db_session, source, target)
    merge_histories(db_session, class_id, into_id)
    for table in (Point, Label, Region, PredictionOutcome, Agreement):
        db_session.execute(update(table).where(table.class_id == class_id).values(class_id=into_id))
    for foretold in (PredictionOutcome, Agreement):
        db_session.execute(
            update(foretold).where(foretold.predicted_class_id == class_id).values(predicted_class_id=into_id)
        )
    # An answer that was not about both of them says nothing of what they are together.
    target.unasked = [*target.unasked, *source.unasked]
    source.removed_at, source.merged_into_id = utc_now(), into_id
    number(db_session)
    _note_change(db_session, images)
    return target, count


def _merge_branches(db_session: Session, source: LabelClass, target: LabelClass) -> None:
    """What stands below the one stands below the other; where that is below itself, it goes up to the first's place."""
    if target.id in read_tree(db_session).below(source.id):
        target.parent_id = source.parent_id
    for child in db_session.scalars(select(LabelClass).where(LabelClass.parent_id == source.id)):
        child.parent_id = target.id
    db_session.flush()


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
    count, images = _count(db_session, class_id), _affected(db_session, class_id)
    label_class.removed_at = utc_now()
    label_class.unasked = [*label_class.unasked, [get_session_info(db_session).label_sequence + 1, None]]
    db_session.flush()
    _note_change(db_session, images)
    return count, len(images)


def restore_class(db_session: Session, class_id: int) -> tuple[LabelClass, int]:
    """Undo `remove_class`: the class comes back with its annotations.

    Returns:
        The class and the number of annotations that show again.

    Raises:
        NotFoundError: there never was such a class.
        ConflictError: it is not removed, was merged, another class has its name now, or images have classes by now that
            it would exclude.
    """
    label_class = db_session.get(LabelClass, class_id)
    if label_class is None:
        raise NotFoundError(f"there is no class {class_id}, nor was there one")
    if label_class.removed_at is None:
        raise ConflictError(f"class {class_id} ({label_class.name}) is not removed")
    if label_class.merged_into_id is not None:
        raise ConflictError(
            f"class {class_id} ({label_class.name}) was merged into class {label_class.merged_into_id}, which has its "
            "annotations now: add a new class instead"
        )
    _require_free_name(db_session, label_class.name)
    require_no_rivals_restored(db_session, label_class)
    label_class.removed_at = None
    until = get_session_info(db_session).label_sequence
    label_class.unasked = [[first, until if last is None else last] for first, last in label_class.unasked]
    db_session.flush()
    _note_change(db_session, _affected(db_session, class_id))
    return label_class, _count(db_session, class_id)


def _require_free_name(db_session: Session, name: str, but: int | None = None) -> None:
    """Names differ in more than capitals, so that nobody, and no file system, takes one for another."""
    for existing in list_classes(db_session):
        if existing.id != but and existing.name.casefold() == name.casefold():
            raise ConflictError(
                f"there is a class {existing.name!r} already (id {existing.id}): choose another name than {name!r}"
            )


def _count(db_session: Session, class_id: int) -> int:
    return sum(
        db_session.scalar(select(func.count()).where(table.class_id == class_id)) or 0 for table in ANNOTATION_TABLES
    )


def _affected(db_session: Session, *class_ids: int) -> list[int]:
    """Images with an annotation of one of the classes."""
    found: set[int] = set()
    for table in ANNOTATION_TABLES:
        found.update(db_session.scalars(select(table.image_id).where(table.class_id.in_(class_ids))))
    return sorted(found)


def _note_change(db_session: Session, image_ids: list[int]) -> None:
    """Record that the annotations of these images show differently now: status, revision, refit, events."""
    if not image_ids:
        return
    info = get_session_info(db_session)
    info.label_sequence += 1
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    is_labelled = (
        exists().where(Point.image_id == Image.id, Point.class_id.in_(present))
        | exists().where(Label.image_id == Image.id, Label.class_id.in_(present))
        | exists().where(Region.image_id == Image.id, Region.class_id.in_(present))
        # An answer stays one for the classes that are left.
        | exists().where(ImageClass.image_id == Image.id)
    )
    status = case(
        (Image.status.in_((ImageStatus.SKIPPED, ImageStatus.UNDETERMINED)), Image.status),
        (is_labelled, ImageStatus.LABELED),
        else_=ImageStatus.UNLABELED,
    )
    for ids in in_portions(image_ids):
        db_session.execute(
            update(Image)
            .where(Image.id.in_(ids))
            .values(revision=Image.revision + 1, label_sequence=info.label_sequence, status=status)
            .execution_options(synchronize_session="fetch")
        )
        changed = db_session.execute(select(Image.id, Image.revision).where(Image.id.in_(ids))).all()
        events = [{"kind": "annotation", "payload": {"image_id": row.id, "revision": row.revision}} for row in changed]
        db_session.execute(insert(Event), events)
    request_job(db_session, JobKind.REFIT)
