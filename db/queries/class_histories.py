"""What earlier states of images say of classes that were merged since."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Text, bindparam, cast, insert, select, update
from sqlalchemy.orm import Session

from db.queries.annotation_state import State, marks
from db.queries.merged_content import said_with
from db.tables.annotations import AnnotationState, MergedAnnotation

STATES_PER_PORTION = 100
UPDATE_STATE = (
    update(AnnotationState)
    .where(AnnotationState.id == bindparam("row_id"))
    .values(state=bindparam("state", type_=AnnotationState.state.type))
)


def merge_histories(db_session: Session, class_id: int, into_id: int, merge_id: int) -> None:
    """Let all states name one class instead of another, and note for the merge where they did; in portions, as those of
    a large session are more than fits into memory.
    """
    # The text filter only narrows the search ("class_id": 1 is also found in 12); the rewriting is exact.
    marked = cast(AnnotationState.state, Text).like(f"%{json.dumps({'class_id': class_id})[1:-1]}%")
    columns = (AnnotationState.id, AnnotationState.image_id, AnnotationState.state)
    statement = select(*columns).order_by(AnnotationState.id).limit(STATES_PER_PORTION)
    connection = db_session.connection()
    last_id = 0
    while rows := connection.execute(statement.where(marked, AnnotationState.id > last_id)).all():
        last_id = rows[-1].id
        said = [(row, said_with(row.state, class_id, into_id)) for row in rows]
        with_it = [(row, found) for row, found in said if found]
        if not with_it:
            continue
        notes = [
            {"merge_id": merge_id, "image_id": row.image_id, "state_id": row.id, "content": found.to_json()}
            for row, found in with_it
        ]
        connection.execute(insert(MergedAnnotation), notes)
        changed = [{"row_id": row.id, "state": _with_class(row.state, class_id, into_id)} for row, _found in with_it]
        connection.execute(UPDATE_STATE, changed)


def _with_class(state: dict[str, Any], class_id: int, into_id: int) -> dict[str, Any]:
    def moved(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "class_id": into_id} if item["class_id"] == class_id else item

    lists: dict[str, Any] = {
        name: [moved(item) for item in state[name]] for name in ("points", "classes", "regions") if name in state
    }
    label = state["label"]
    merged: dict[str, Any] = {**state, **lists, "label": None if label is None else moved(label)}
    if "classes" in merged:
        # An answer with both of them has one of them now.
        return replace(found := State.from_json(merged), classes=marks(found.classes)).to_json()
    return merged
