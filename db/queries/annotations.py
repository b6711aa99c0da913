"""Annotations: every change of what a person says about an image goes through here.

A change validates the whole request first, then writes, in the caller's one transaction: the rows in force (`points`,
`labels`, `image_classes`), a copy of the complete state for undo (`annotation_states`), the image's status, revision
and split, a refit job and an event. Annotations of a removed class stay in the tables, hidden, until the class is
restored.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import Origin
from db.errors import ConflictError, InvalidInputError
from db.queries.annotation_change import Change, describe, session_info
from db.queries.annotation_rows import read_state
from db.queries.annotation_state import State, StoredPoint, with_parents
from db.queries.class_groups import unasked_classes
from db.queries.class_histories import in_present_names, read_merges
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tasks import Annotates


@dataclass(frozen=True)
class NewPoint:
    """A point to store: pixels of the upright original image, origin top-left."""

    x: float
    y: float
    class_id: int
    id: int | None = None
    """Of the existing point that this one is, moved or not; None for a new one."""


def current_state(db_session: Session, image: Image) -> dict[str, Any]:
    """The annotation in force: image_id, revision, points (with ids), label, labels, regions (without geometry: see
    `db.queries.regions.with_geometry`), skipped, can_undo, can_redo.

    `labels` is None while nobody has answered for the classes of an image that may have several.
    """
    return describe(db_session, image, read_state(db_session, image, session_info(db_session).task))


def replace_points(
    db_session: Session,
    image: Image,
    points: Sequence[NewPoint],
    *,
    expected_revision: int | None = None,
    origin: Origin = Origin.HUMAN,
) -> dict[str, Any]:
    """Make `points` the points of the image, all or none; returns the new `current_state`.

    A point with the id of an existing one that has neither moved nor changed class keeps its origin; all others get
    `origin`. Regions stay. A request that changes nothing leaves revision and history as they are.

    Raises:
        InvalidInputError: a class that is not present, a place outside the image, or a session without points.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = Change(db_session, image, Annotates.POINTS, expected_revision)
    change.require_readable()
    return change.apply(State(points=points_to_store(change, points, origin), regions=change.before.regions))


def points_to_store(change: Change, points: Sequence[NewPoint], origin: Origin) -> tuple[StoredPoint, ...]:
    """The points of an image as `replace_points` means them, beside hidden ones; raises as that."""
    for index, point in enumerate(points):
        _check_point(change.image, index, point)
    change.classes.require_present({point.class_id for point in points})
    by_id = {point.id: point for point in change.before.points}
    kept = tuple(point for point in change.before.points if point.class_id not in change.present)
    return kept + tuple(_stored(point, by_id, origin) for point in points)


def set_label(
    db_session: Session,
    image: Image,
    class_id: int,
    *,
    expected_revision: int | None = None,
    origin: Origin = Origin.HUMAN,
) -> dict[str, Any]:
    """Give the whole image one class. Returns the new `current_state`.

    The same class again changes nothing, unless a person says now what was merely accepted or imported before.

    Raises:
        InvalidInputError: a class that is not present, or a session without labels of whole images.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = Change(db_session, image, Annotates.IMAGE, expected_revision)
    change.require_readable()
    change.classes.require_present({class_id})
    before = change.before.label
    if before is not None and before[0] == class_id and origin is not Origin.HUMAN:
        return describe(db_session, image, change.before)
    return change.apply(State(label=(class_id, origin)))


def set_classes(
    db_session: Session,
    image: Image,
    class_ids: Collection[int],
    *,
    expected_revision: int | None = None,
    origin: Origin = Origin.HUMAN,
) -> dict[str, Any]:
    """Say which classes the whole image has, and with that, that it has no other; none at all is an answer, too.

    A class implies those above it, named or not.

    Classes that it had before keep their origin. The same ones again change nothing, unless classes were added since:
    then they say that those do not hold. Returns the new `current_state`.

    Raises:
        InvalidInputError: a class that is not present, one twice, two that exclude each other, or a session in which
            an image has not several classes.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = Change(db_session, image, Annotates.CLASSES, expected_revision)
    change.require_readable()
    change.classes.require_present(set(class_ids))
    change.classes.require_compatible(class_ids)
    known = dict(change.before.classes)
    tree = change.classes.tree
    held = tree.with_parents(class_ids)
    wanted: set[int | None] = set(held)
    visible = with_parents(tree, change.before.visible(change.present).classes)
    if {class_id for class_id, _origin in visible} == (wanted or {None}):
        if not unasked_classes(db_session).of(image.answered_at, held):
            return describe(db_session, image, change.before)
        return change.answer_again()
    chosen = [(class_id, known.get(class_id, origin)) for class_id in wanted or {None}]
    return change.apply(State(classes=change.answer(chosen)))


def clear(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Remove what is said about the image, a skip included; undo brings it back."""
    change = Change(db_session, image, None, expected_revision)
    return change.apply(replace(change.hidden(), classes=()))


def skip(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Set the image aside: its annotations go; undo brings them back, a new annotation ends the skip."""
    change = Change(db_session, image, None, expected_revision)
    return change.apply(replace(change.hidden(), classes=(), skipped=True))


def set_undetermined(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Say that nobody can tell: an answer in place of any other, with nothing to learn from; undo brings that back."""
    change = Change(db_session, image, None, expected_revision)
    return change.apply(replace(change.hidden(), classes=(), undetermined=True))


def undo(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Go back to the state before the last change, across reloads and restarts.

    Raises:
        ConflictError: there is nothing to undo, or another revision than expected.
    """
    return _step(db_session, image, -1, expected_revision)


def redo(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Take the last undo back.

    Raises:
        ConflictError: there is nothing to redo, or another revision than expected.
    """
    return _step(db_session, image, +1, expected_revision)


def _check_point(image: Image, index: int, point: NewPoint) -> None:
    width, height = image.width or 0, image.height or 0
    for name, value, limit in (("x", point.x, width), ("y", point.y, height)):
        if not math.isfinite(value) or not 0 <= value <= limit:
            raise InvalidInputError(
                f"points.{index}.{name} is {value}, outside image {image.id}: expected 0 <= {name} <= {limit} "
                "(pixels of the upright original image)"
            )


def _stored(point: NewPoint, by_id: dict[int | None, StoredPoint], origin: Origin) -> StoredPoint:
    # Each existing point can be taken over once; a second point with its id is a new one.
    existing = by_id.pop(point.id, None) if point.id is not None else None
    if existing is None:
        return StoredPoint(point.x, point.y, point.class_id, origin)
    unchanged = (existing.x, existing.y, existing.class_id) == (point.x, point.y, point.class_id)
    return StoredPoint(point.x, point.y, point.class_id, existing.origin if unchanged else origin, existing.id)


def _step(db_session: Session, image: Image, direction: int, expected_revision: int | None) -> dict[str, Any]:
    change = Change(db_session, image, None, expected_revision)
    position = image.history_position
    left, now = _state_at(db_session, image, position), change.before
    shown = now.visible(change.present)
    reached: tuple[State, int] | None = None
    # A step that only concerns removed classes, or ones that exclude each other now, shows nothing: go on to one that
    # does. A redo goes on over those behind that, too: no other would get there.
    while (after := _state_at(db_session, image, position + direction)) is not None:
        position += direction
        allowed = change.beside_hidden(after, left, direction, now)
        is_seen = not allowed.visible(change.present).same_as(shown)
        if is_seen and reached is not None:
            break
        if is_seen or (reached is not None and not allowed.same_as(reached[0])):
            reached, shown = (allowed, position), allowed.visible(change.present)
            if direction < 0:
                break
        if direction > 0:
            # What is hidden was set, moved and removed step by step.
            left, now = after, allowed
    if reached is None:
        word = "undo" if direction < 0 else "redo"
        raise ConflictError(
            f"image {image.id} has nothing to {word}", current=describe(db_session, image, change.before)
        )
    return change.put_in_force(*reached)


def _state_at(db_session: Session, image: Image, position: int) -> State | None:
    if position < 0:
        return None
    # Position 0 has no row; it is reachable as long as the first step has not been forgotten.
    wanted = (AnnotationState.image_id == image.id, AnnotationState.position == max(position, 1))
    data = db_session.scalar(select(AnnotationState.state).where(*wanted))
    if data is None:
        return None
    return State() if position == 0 else State.from_json(in_present_names(data, read_merges(db_session)))
