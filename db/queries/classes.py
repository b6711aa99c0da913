"""Classes: added, changed, merged, removed and restored while people label."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Text, case, cast, exists, func, insert, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import ImageStatus, JobKind
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.palette import PALETTE
from db.queries.annotation_state import State, marks
from db.queries.class_groups import merge_image_classes, put_into_group
from db.queries.jobs import request_job
from db.queries.session_info import get_session_info
from db.tables.annotations import AnnotationState, ImageClass, Label, Point
from db.tables.images import Image
from db.tables.learning import Agreement, PredictionOutcome
from db.tables.processes import Event
from db.tables.session import LabelClass


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


def add_class(db_session: Session, name: str, color: str | None, group: str | None = None) -> LabelClass:
    """Add a class behind the others; without a colour it gets one that none of them has.

    Raises:
        ConflictError: the name is taken.
        InvalidInputError: a group, though an image of this session has one class anyway.
    """
    _require_free_name(db_session, name)
    present = list_classes(db_session)
    label_class = LabelClass(
        name=name,
        color=(color or _free_color({c.color.upper() for c in present})).upper(),
        position=max((c.position for c in present), default=-1) + 1,
        unasked=[[0, get_session_info(db_session).label_sequence]],
    )
    db_session.add(label_class)
    db_session.flush()
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
    count, images = _count(db_session, class_id), _affected(db_session, class_id)
    merge_image_classes(db_session, source, target)
    _merge_histories(db_session, class_id, into_id)
    for table in (Point, Label, PredictionOutcome, Agreement):
        db_session.execute(update(table).where(table.class_id == class_id).values(class_id=into_id))
    for foretold in (PredictionOutcome, Agreement):
        db_session.execute(
            update(foretold).where(foretold.predicted_class_id == class_id).values(predicted_class_id=into_id)
        )
    # An answer that was not about both of them says nothing of what they are together.
    target.unasked = [*target.unasked, *source.unasked]
    source.removed_at = utc_now()
    _note_change(db_session, images)
    return target, count


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
        ConflictError: it is not removed, or another class has its name now.
    """
    label_class = db_session.get(LabelClass, class_id)
    if label_class is None:
        raise NotFoundError(f"there is no class {class_id}, nor was there one")
    if label_class.removed_at is None:
        raise ConflictError(f"class {class_id} ({label_class.name}) is not removed")
    _require_free_name(db_session, label_class.name)
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


def _free_color(used: set[str]) -> str:
    return next((color for color in PALETTE if color not in used), PALETTE[len(used) % len(PALETTE)])


def _count(db_session: Session, class_id: int) -> int:
    return sum(
        db_session.scalar(select(func.count()).where(table.class_id == class_id)) or 0
        for table in (Point, Label, ImageClass)
    )


def _affected(db_session: Session, class_id: int) -> list[int]:
    """Images with an annotation of the class."""
    found: set[int] = set()
    for table in (Point, Label, ImageClass):
        found.update(db_session.scalars(select(table.image_id).where(table.class_id == class_id)))
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
        # An answer stays one for the classes that are left.
        | exists().where(ImageClass.image_id == Image.id)
    )
    status = case(
        (Image.status == ImageStatus.SKIPPED, Image.status),
        (is_labelled, ImageStatus.LABELED),
        else_=ImageStatus.UNLABELED,
    )
    for start in range(0, len(image_ids), 500):
        chunk = image_ids[start : start + 500]
        db_session.execute(
            update(Image)
            .where(Image.id.in_(chunk))
            .values(revision=Image.revision + 1, label_sequence=info.label_sequence, status=status)
            .execution_options(synchronize_session="fetch")
        )
        changed = db_session.execute(select(Image.id, Image.revision).where(Image.id.in_(chunk))).all()
        events = [{"kind": "annotation", "payload": {"image_id": row.id, "revision": row.revision}} for row in changed]
        db_session.execute(insert(Event), events)
    request_job(db_session, JobKind.REFIT)


def _merge_histories(db_session: Session, class_id: int, into_id: int) -> None:
    # The text filter only narrows the search ("class_id": 1 is also found in 12); the rewriting is exact.
    marked = cast(AnnotationState.state, Text).like(f"%{json.dumps({'class_id': class_id})[1:-1]}%")
    for row in db_session.scalars(select(AnnotationState).where(marked)):
        row.state = _with_class(row.state, class_id, into_id)


def _with_class(state: dict[str, Any], class_id: int, into_id: int) -> dict[str, Any]:
    def moved(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "class_id": into_id} if item["class_id"] == class_id else item

    label = state["label"]
    merged = State.from_json(
        {
            **state,
            "points": [moved(point) for point in state["points"]],
            "label": None if label is None else moved(label),
            "classes": [moved(mark) for mark in state.get("classes", ())],
        }
    )
    return replace(merged, classes=marks(merged.classes)).to_json()
