"""Annotations: every change of what a person says about an image goes through here.

A change validates the whole request first, then writes, in the caller's one transaction: the rows in force (`points`,
`labels`), a copy of the complete state for undo (`annotation_states`), the image's status, revision and split, a refit
job and an event. Annotations of a removed class stay in the tables, hidden, until the class is restored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from db.errors import ConflictError, InvalidInputError, SessionNotFoundError
from db.models import (
    AnnotationState,
    Image,
    ImageStatus,
    JobKind,
    LabelClass,
    Origin,
    SessionInfo,
)
from db.queries.annotation_rows import read_state, write_rows
from db.queries.annotation_state import State, StoredPoint
from db.queries.events import add_event
from db.queries.jobs import request_job
from db.queries.outcomes import record_outcome
from db.queries.splits import draw_split
from db.tasks import Annotates

HISTORY_LENGTH = 200
"""States kept of an image; undo reaches no further."""

# Built once: every click runs all of these, and putting a statement together takes longer than running it.
_PRESENT_CLASSES = (
    select(LabelClass.id, LabelClass.name)
    .where(LabelClass.removed_at.is_(None))
    .order_by(LabelClass.position, LabelClass.id)
)
_HISTORY_RANGE = select(func.min(AnnotationState.position), func.max(AnnotationState.position)).where(
    AnnotationState.image_id == bindparam("image_id")
)


@dataclass(frozen=True)
class NewPoint:
    """A point to store: pixels of the upright original image, origin top-left."""

    x: float
    y: float
    class_id: int
    id: int | None = None
    """Of the existing point that this one is, moved or not; None for a new one."""


def current_state(db_session: Session, image: Image) -> dict[str, Any]:
    """The annotation in force: image_id, revision, points (with ids), label, skipped, can_undo, can_redo."""
    return _describe(db_session, image, read_state(db_session, image, _session_info(db_session).task))


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
    `origin`. A request that changes nothing leaves revision and history as they are.

    Raises:
        InvalidInputError: a class that is not present, a place outside the image, or a session without points.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = _Change(db_session, image, Annotates.POINTS, expected_revision)
    change.require_readable()
    for index, point in enumerate(points):
        _check_point(image, index, point)
    change.require_classes({point.class_id for point in points})
    by_id = {point.id: point for point in change.before.points}
    kept = tuple(point for point in change.before.points if point.class_id not in change.present)
    new = tuple(_stored(point, by_id, origin) for point in points)
    return change.apply(State(points=kept + new))


def set_label(
    db_session: Session,
    image: Image,
    class_id: int,
    *,
    expected_revision: int | None = None,
    origin: Origin = Origin.HUMAN,
) -> dict[str, Any]:
    """Give the whole image one class; the same class again changes nothing. Returns the new `current_state`.

    Raises:
        InvalidInputError: a class that is not present, or a session without labels of whole images.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = _Change(db_session, image, Annotates.IMAGE, expected_revision)
    change.require_readable()
    change.require_classes({class_id})
    if change.before.label is not None and change.before.label[0] == class_id:
        return _describe(db_session, image, change.before)
    return change.apply(State(label=(class_id, origin)))


def clear(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Remove what is said about the image, a skip included; undo brings it back."""
    change = _Change(db_session, image, None, expected_revision)
    return change.apply(change.hidden())


def skip(db_session: Session, image: Image, *, expected_revision: int | None = None) -> dict[str, Any]:
    """Set the image aside: its annotations go; undo brings them back, a new annotation ends the skip."""
    change = _Change(db_session, image, None, expected_revision)
    return change.apply(replace(change.hidden(), skipped=True))


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


def present_classes(db_session: Session) -> dict[int, str]:
    """Name by id of the classes that can be assigned, in their order."""
    return dict(db_session.execute(_PRESENT_CLASSES).all())


class _Change:
    """One change of one image: what was before, what is allowed, and the writing."""

    def __init__(
        self, db_session: Session, image: Image, annotates: Annotates | None, expected_revision: int | None
    ) -> None:
        self.db_session = db_session
        self.image = image
        self.info = _session_info(db_session)
        self.task = self.info.task
        if annotates is not None and annotates is not self.task.annotates:
            wanted, found = ("points", "class_id") if annotates is Annotates.IMAGE else ("class_id", "points")
            raise InvalidInputError(f"this is a {self.task.name} session: send {wanted}, found {found}")
        self.before = read_state(db_session, image, self.task)
        self.present = present_classes(db_session)
        if expected_revision is not None and expected_revision != image.revision:
            raise ConflictError(
                f"image {image.id} is at revision {image.revision}, the request replaces {expected_revision}: "
                "look at the current state and send the change again",
                current=_describe(db_session, image, self.before),
            )

    def hidden(self) -> State:
        """Annotations of removed classes, which every change leaves in place."""
        label = self.before.label
        return State(
            tuple(point for point in self.before.points if point.class_id not in self.present),
            label if label is not None and label[0] not in self.present else None,
        )

    def beside_hidden(self, after: State) -> State:
        """An earlier state, with the hidden points left as they are now.

        A label stands alone in its image: the earlier one comes back, hidden or not, in place of a hidden one.
        """
        visible, hidden = after.visible(self.present), self.hidden()
        return State(hidden.points + visible.points, after.label or hidden.label, after.skipped)

    def require_readable(self) -> None:
        """Refuse to label what nobody can see."""
        if self.image.width is None or self.image.height is None:
            raise ConflictError(
                f"image {self.image.id} could not be read ({self.image.failure or 'no reason recorded'}) "
                "and cannot be labelled: skip it, or repair the file and run init_session.py again with --append"
            )

    def require_classes(self, class_ids: set[int]) -> None:
        """Refuse classes that cannot be assigned."""
        unknown = sorted(class_ids - self.present.keys())
        if unknown:
            listed = ", ".join(f"{class_id} ({name})" for class_id, name in self.present.items()) or "none"
            raise InvalidInputError(f"there is no class {unknown[0]}: the classes are {listed}")

    def apply(self, after: State) -> dict[str, Any]:
        """Make `after` the state in force and the newest step of the history."""
        if after.same_as(self.before):
            return _describe(self.db_session, self.image, self.before)
        position = self.image.history_position + 1
        of_image = AnnotationState.image_id == self.image.id
        self.db_session.execute(
            delete(AnnotationState).where(
                of_image,
                (AnnotationState.position >= position) | (AnnotationState.position <= position - HISTORY_LENGTH),
            )
        )
        self.db_session.execute(
            insert(AnnotationState).values(image_id=self.image.id, position=position, state=after.to_json())
        )
        return self.put_in_force(after, position)

    def put_in_force(self, after: State, position: int) -> dict[str, Any]:
        """Write the rows of `after`, and all that follows from a change."""
        stored = write_rows(self.db_session, self.image, self.before, after)
        visible = stored.visible(self.present)
        image, info = self.image, self.info
        is_labelled = bool(visible.points) or visible.label is not None
        image.history_position = position
        image.revision += 1
        info.label_sequence += 1
        image.label_sequence = info.label_sequence
        image.status = status_of(labelled=is_labelled, skipped=visible.skipped)
        if is_labelled and image.split is None:
            if visible.label is not None:
                record_outcome(self.db_session, image.id, visible.label[0])
            image.split = draw_split(self.db_session, image, visible.label[0] if visible.label else None)
        request_job(self.db_session, JobKind.REFIT, image.id)
        add_event(self.db_session, "annotation", image_id=image.id, revision=image.revision)
        self.db_session.flush()
        return _describe(self.db_session, image, stored, self.present)


def status_of(*, labelled: bool, skipped: bool) -> ImageStatus:
    """Status of an image with such a state."""
    if skipped:
        return ImageStatus.SKIPPED
    return ImageStatus.LABELED if labelled else ImageStatus.UNLABELED


def _session_info(db_session: Session) -> SessionInfo:
    # Locked where the database can lock a row; SQLite's write transactions exclude each other anyway.
    info = db_session.get(SessionInfo, 1, with_for_update=True)
    if info is None:
        raise SessionNotFoundError("the database holds no session yet: run init_session.py first")
    return info


def _describe(db_session: Session, image: Image, state: State, present: dict[int, str] | None = None) -> dict[str, Any]:
    visible = state.visible(present_classes(db_session) if present is None else present)
    lowest, highest = db_session.execute(_HISTORY_RANGE, {"image_id": image.id}).one()
    # Position 0, the empty state before the first change, has no row.
    oldest = 0 if lowest in (None, 1) else lowest
    label = visible.label
    return {
        "image_id": image.id,
        "revision": image.revision,
        "points": [
            {"id": p.id, "x": p.x, "y": p.y, "class_id": p.class_id, "origin": p.origin.value} for p in visible.points
        ],
        "label": None if label is None else {"class_id": label[0], "origin": label[1].value},
        "skipped": visible.skipped,
        "can_undo": image.history_position > oldest,
        "can_redo": image.history_position < (highest or 0),
    }


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
    change = _Change(db_session, image, None, expected_revision)
    before = change.before.visible(change.present)
    position = image.history_position
    while True:
        position += direction
        after = _state_at(db_session, image, position)
        if after is None:
            word = "undo" if direction < 0 else "redo"
            raise ConflictError(
                f"image {image.id} has nothing to {word}", current=_describe(db_session, image, change.before)
            )
        # A step that only concerns removed classes shows nothing: go on to one that does.
        if not after.visible(change.present).same_as(before):
            return change.put_in_force(change.beside_hidden(after), position)


def _state_at(db_session: Session, image: Image, position: int) -> State | None:
    if position < 0:
        return None
    # Position 0 has no row; it is reachable as long as the first step has not been forgotten.
    wanted = (AnnotationState.image_id == image.id, AnnotationState.position == max(position, 1))
    data = db_session.scalar(select(AnnotationState.state).where(*wanted))
    if data is None:
        return None
    return State() if position == 0 else State.from_json(data)
