"""One change of one image: what was before, what is allowed, and the writing of what comes after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.enums import ImageStatus
from db.errors import ConflictError, InvalidInputError, SessionNotFoundError
from db.queries.annotation_rows import read_state, write_rows
from db.queries.annotation_rules import ClassRules, Standing, present_classes
from db.queries.annotation_state import State, with_parents
from db.queries.class_histories import KEEP_APART, in_present_names, read_merges, with_marks_of
from db.queries.class_tree import read_tree
from db.queries.events import add_event
from db.queries.jobs import request_refit
from db.queries.outcomes import record_outcome
from db.queries.splits import draw_split, rarest_class
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.session import SessionInfo
from db.tasks import Annotates

PAYLOADS = {Annotates.POINTS: "points", Annotates.IMAGE: "class_id", Annotates.CLASSES: "class_ids"}
"""What a request about such an annotation brings."""
HISTORY_LENGTH = 200
"""States kept of an image; undo reaches no further."""

# Built once: every click runs all of these, and putting a statement together takes longer than running it.
_HISTORY_RANGE = select(func.min(AnnotationState.position), func.max(AnnotationState.position)).where(
    AnnotationState.image_id == bindparam("image_id")
)
FORGET_STATES = delete(AnnotationState).where(
    AnnotationState.image_id == bindparam("image_id"),
    (AnnotationState.position >= bindparam("next")) | (AnnotationState.position <= bindparam("oldest")),
)
INSERT_STATE = insert(AnnotationState).inline()


class Change(Standing):
    """One change of one image: what was before, what is allowed, and the writing."""

    def __init__(
        self, db_session: Session, image: Image, annotates: Annotates | None, expected_revision: int | None
    ) -> None:
        self.db_session = db_session
        self.image = image
        self.info = session_info(db_session)
        self.task = self.info.task
        if annotates is not None and annotates is not self.task.annotates:
            wanted, found = PAYLOADS[self.task.annotates], PAYLOADS[annotates]
            raise InvalidInputError(f"this is a {self.task.name} session: send {wanted}, found {found}")
        super().__init__(ClassRules(db_session), read_state(db_session, image, self.task))
        if expected_revision is not None and expected_revision != image.revision:
            raise ConflictError(
                f"image {image.id} is at revision {image.revision}, the request replaces {expected_revision}: "
                "look at the current state and send the change again",
                current=describe(db_session, image, self.before),
            )

    def require_readable(self) -> None:
        """Refuse to label what nobody can see."""
        if self.image.width is None or self.image.height is None:
            raise ConflictError(
                f"image {self.image.id} could not be read ({self.image.failure or 'no reason recorded'}) "
                "and cannot be labelled: skip it, or repair the file and run init_session.py again with --append"
            )

    def apply(self, after: State) -> dict[str, Any]:
        """Make `after` the state in force and the newest step of the history."""
        if after.same_as(self.before):
            return describe(self.db_session, self.image, self.before)
        if after.classes:
            after = replace(after, answered_at=self.info.label_sequence + 1)
        position = self.image.history_position + 1
        image_id = self.image.id
        connection = self.db_session.connection()
        connection.execute(FORGET_STATES, {"image_id": image_id, "next": position, "oldest": position - HISTORY_LENGTH})
        connection.execute(KEEP_APART)
        connection.execute(INSERT_STATE, {"image_id": image_id, "position": position, "state": after.to_json()})
        return self.put_in_force(after, position)

    def answer_again(self) -> dict[str, Any]:
        """The same answer, now also for classes that were added since; nothing that an undo would have to show."""
        after = replace(self.before, answered_at=self.info.label_sequence + 1)
        position = self.image.history_position
        here = (AnnotationState.image_id == self.image.id, AnnotationState.position == position)
        kept = self.db_session.scalar(select(AnnotationState.state).where(*here))
        content = after.to_json()
        if kept is not None:
            # It may name classes that were merged since, and have them again when that is taken back.
            merges = read_merges(self.db_session)
            own = with_marks_of(kept, dict(after.classes), merges)
            if State.from_json(in_present_names(own, merges)).same_as(after):
                content = {**own, "answered_at": after.answered_at}
        self.db_session.execute(update(AnnotationState).where(*here).values(state=content))
        return self.put_in_force(after, position)

    def put_in_force(self, after: State, position: int) -> dict[str, Any]:
        """Write the rows of `after`, and all that follows from a change."""
        stored = write_rows(self.db_session, self.image, self.before, after)
        visible = stored.visible(self.present)
        image, info = self.image, self.info
        is_labelled = visible.says_something
        image.history_position = position
        image.revision += 1
        info.label_sequence += 1
        image.label_sequence = info.label_sequence
        image.answered_at = stored.answered_at if stored.classes else 0
        image.status = status_of(visible)
        if is_labelled and image.split is None:
            if visible.label is not None:
                record_outcome(self.db_session, image.id, *visible.label)
            class_ids = {class_id for class_id, _origin in visible.classes if class_id is not None}
            class_ids |= {point.class_id for point in visible.points}
            class_ids |= {region.class_id for region in visible.regions if region.class_id is not None}
            stratum = visible.label[0] if visible.label else rarest_class(self.db_session, class_ids)
            image.split = draw_split(self.db_session, image, stratum)
        self.db_session.flush()
        request_refit(self.db_session, image.id)
        add_event(self.db_session, "annotation", image_id=image.id, revision=image.revision)
        return describe(self.db_session, image, stored, self.present)


def status_of(visible: State) -> ImageStatus:
    """Status of an image with such a state."""
    if visible.undetermined:
        return ImageStatus.UNDETERMINED
    if visible.skipped:
        return ImageStatus.SKIPPED
    return ImageStatus.LABELED if visible.says_something else ImageStatus.UNLABELED


def session_info(db_session: Session) -> SessionInfo:
    """The session's row, ours until the transaction ends.

    Raises:
        SessionNotFoundError: there is none.
    """
    # Locked where the database can lock a row; SQLite's write transactions exclude each other anyway.
    info = db_session.get(SessionInfo, 1, with_for_update=True)
    if info is None:
        raise SessionNotFoundError("the database holds no session yet: run init_session.py first")
    return info


def describe(db_session: Session, image: Image, state: State, present: dict[int, str] | None = None) -> dict[str, Any]:
    """A state as `current_state` gives it."""
    visible = state.visible(present_classes(db_session) if present is None else present)
    lowest, highest = db_session.connection().execute(_HISTORY_RANGE, {"image_id": image.id}).one()
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
        "labels": _labels(db_session, visible),
        "regions": [
            {"id": r.id, "shape_id": r.shape_id, "kind": r.kind, "class_id": r.class_id, "origin": r.origin}
            for r in visible.regions
        ],
        "skipped": visible.skipped,
        "undetermined": visible.undetermined,
        "can_undo": image.history_position > oldest,
        "can_redo": image.history_position < (highest or 0),
    }


def _labels(db_session: Session, visible: State) -> list[dict[str, Any]] | None:
    """The classes that hold, and those above them: whoever answered before a class stood below another did not say so,
    but it follows.
    """
    if not visible.classes:
        return None
    return [
        {"class_id": class_id, "origin": origin.value}
        for class_id, origin in with_parents(read_tree(db_session), visible.classes)
        if class_id is not None
    ]
