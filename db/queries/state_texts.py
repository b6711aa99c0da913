"""States of histories as the text that the database keeps: where nothing follows from them, as for most of those that
are looked at to take a merge back, reading and writing JSON would take ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Text, Update, bindparam, cast, update

from db.tables.annotations import AnnotationState

MEMBER = '"class_id":'
"""After it stands the class of a point, a region, a label or a mark."""

state_text = cast(AnnotationState.state, Text)


def said_again(text: str, places: Iterable[int], class_id: int, into_id: int) -> str:
    """The text with one class in place of the other at these places, as far as that stands there."""
    wanted, length = (f" {into_id},", f" {into_id}}}"), len(f" {into_id}")
    parts = text.split(MEMBER)
    for place in places:
        if parts[place + 1].startswith(wanted):
            parts[place + 1] = f" {class_id}{parts[place + 1][length:]}"
    return MEMBER.join(parts)


def write_text(connection: Connection) -> Update:
    """Give the state of the id `row_id` the text `text`."""
    written = _as_kept(connection, bindparam("text", type_=Text))
    return update(AnnotationState).where(AnnotationState.id == bindparam("row_id")).values(state=written)


def _as_kept(connection: Connection, text: ColumnElement[str]) -> ColumnElement[Any]:
    # SQLite keeps JSON as text, and a cast to it would read a number there.
    return text if connection.dialect.name == "sqlite" else cast(text, JSON)
