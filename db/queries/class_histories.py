"""What earlier states of images say of classes that were merged since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.orm import Session

from db.queries.annotation_state import State, marks
from db.queries.merged_content import said_with
from db.queries.session_info import get_session_info
from db.queries.state_texts import may_mention, mentions, rename, state_text, write_text
from db.tables.annotations import AnnotationState, MergedAnnotation
from db.tables.session import ClassMerge
from db.tasks import Annotates

STATES_PER_PORTION = 500

_newest = select(func.coalesce(func.max(AnnotationState.id), 0)).scalar_subquery()
KEEP_APART = update(ClassMerge).where(ClassMerge.last_state_id > _newest).values(last_state_id=_newest)
"""To be run before states are added. Ids of forgotten states come again for others, on SQLite: what was there at a
merge must stay below all that comes after it.
"""


def merge_histories(db_session: Session, class_id: int, into_id: int, merge_id: int) -> None:
    """Let all states name one class instead of another, and note for the merge where they did; in portions, as those of
    a large session are more than fits into memory.
    """
    connection = db_session.connection()
    if get_session_info(db_session).task.annotates is Annotates.CLASSES:
        _merge_answers(connection, class_id, into_id, merge_id)
        return
    for rows in _portions(connection, class_id):
        at = ((state_id, image_id, mentions(text, class_id)) for state_id, image_id, text in rows)
        _note(connection, merge_id, [(state_id, image_id, {"at": found}) for state_id, image_id, found in at if found])
    noted = select(MergedAnnotation.state_id).where(MergedAnnotation.merge_id == merge_id)
    connection.execute(rename(connection, class_id, into_id).where(AnnotationState.id.in_(noted)))


def _merge_answers(connection: Connection, class_id: int, into_id: int, merge_id: int) -> None:
    """With several classes: those that hold both of the two have one of them then."""
    for rows in _portions(connection, class_id):
        states = [(state_id, image_id, json.loads(text)) for state_id, image_id, text in rows]
        said = [(*state, said_with(state[2], class_id, into_id)) for state in states]
        with_it = [(state_id, image_id, state, found) for state_id, image_id, state, found in said if found]
        notes = [(state_id, image_id, found.to_json()) for state_id, image_id, _state, found in with_it]
        _note(connection, merge_id, notes)
        changed = [
            {"row_id": state_id, "text": json.dumps(_with_class(state, class_id, into_id))}
            for state_id, _image_id, state, _found in with_it
        ]
        if changed:
            connection.execute(write_text(connection), changed)


def _portions(connection: Connection, class_id: int) -> Iterator[list[Any]]:
    """Id, image and text of the states that may name the class."""
    statement = select(AnnotationState.id, AnnotationState.image_id, state_text).where(may_mention(class_id))
    statement = statement.order_by(AnnotationState.id).limit(STATES_PER_PORTION)
    last_id = 0
    while rows := connection.execute(statement.where(AnnotationState.id > last_id)).all():
        last_id = rows[-1][0]
        yield list(rows)


def _note(connection: Connection, merge_id: int, contents: Sequence[tuple[int, int, dict[str, Any]]]) -> None:
    notes = [
        {"merge_id": merge_id, "image_id": image_id, "state_id": state_id, "content": content}
        for state_id, image_id, content in contents
    ]
    if notes:
        connection.execute(insert(MergedAnnotation).inline(), notes)


def _with_class(state: dict[str, Any], class_id: int, into_id: int) -> dict[str, Any]:
    """An answer with several classes: one with both of them has one of them now."""
    said = State.from_json(state)
    named = ((into_id if found == class_id else found, origin) for found, origin in said.classes)
    return replace(said, classes=marks(named)).to_json()
