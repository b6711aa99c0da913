"""What earlier states of images say of classes that were merged since."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import Text, bindparam, cast, select, update
from sqlalchemy.orm import Session

from db.queries.annotation_state import State, marks
from db.tables.annotations import AnnotationState

STATES_PER_PORTION = 100
_UPDATE_STATE = (
    update(AnnotationState)
    .where(AnnotationState.id == bindparam("row_id"))
    .values(state=bindparam("state", type_=AnnotationState.state.type))
)


def merge_histories(db_session: Session, class_id: int, into_id: int) -> None:
    """Let all states name one class instead of another; in portions, as those of a large session are more than fits
    into memory.
    """
    # The text filter only narrows the search ("class_id": 1 is also found in 12); the rewriting is exact.
    marked = cast(AnnotationState.state, Text).like(f"%{json.dumps({'class_id': class_id})[1:-1]}%")
    statement = select(AnnotationState.id, AnnotationState.state).order_by(AnnotationState.id).limit(STATES_PER_PORTION)
    connection = db_session.connection()
    last_id = 0
    while rows := connection.execute(statement.where(marked, AnnotationState.id > last_id)).all():
        last_id = rows[-1].id
        merged = [(row.id, row.state, _with_class(row.state, class_id, into_id)) for row in rows]
        changed = [{"row_id": row_id, "state": after} for row_id, before, after in merged if after != before]
        if changed:
            connection.execute(_UPDATE_STATE, changed)


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
