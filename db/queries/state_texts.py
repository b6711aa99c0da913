"""States of histories as the text that the database keeps: to change classes in it takes a tenth of what reading and
writing it as JSON does. A state holds nothing that people typed: what looks like the name of a member is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Text, Update, bindparam, cast, func, literal, update

from db.tables.annotations import AnnotationState

MEMBER = '"class_id":'
"""After it stands the class of a point, a region, a label or a mark."""
_CLASSES = re.compile(MEMBER + r" (\w+)")

state_text = cast(AnnotationState.state, Text)


def mentions(text: str, class_id: int) -> list[int]:
    """Which of the classes in it are this one, counted from 0."""
    wanted = str(class_id)
    return [place for place, found in enumerate(_CLASSES.findall(text)) if found == wanted]


def said_again(text: str, places: Iterable[int], class_id: int, into_id: int) -> str:
    """The text with one class in place of the other at these places, as far as that stands there."""
    wanted, length = _spellings(into_id), len(f" {into_id}")
    parts = text.split(MEMBER)
    for place in places:
        if parts[place + 1].startswith(wanted):
            parts[place + 1] = f" {class_id}{parts[place + 1][length:]}"
    return MEMBER.join(parts)


def may_mention(class_id: int) -> ColumnElement[bool]:
    """Narrows a search for states that name the class: 1 is also found in 12."""
    return state_text.like(f"%{MEMBER} {class_id}%")


def rename(connection: Connection, class_id: int, into_id: int) -> Update:
    """Let states name one class instead of another, all at once; those with several classes need more."""
    renamed: ColumnElement[str] = state_text
    for old, new in zip(_spellings(class_id), _spellings(into_id), strict=True):
        renamed = func.replace(renamed, literal(MEMBER + old), literal(MEMBER + new), type_=Text)
    return update(AnnotationState).values(state=_as_kept(connection, renamed))


def write_text(connection: Connection) -> Update:
    """Give the state of the id `row_id` the text `text`."""
    written = _as_kept(connection, bindparam("text", type_=Text))
    return update(AnnotationState).where(AnnotationState.id == bindparam("row_id")).values(state=written)


def _as_kept(connection: Connection, text: ColumnElement[str]) -> ColumnElement[Any]:
    # SQLite keeps JSON as text, and a cast to it would read a number there.
    return text if connection.dialect.name == "sqlite" else cast(text, JSON)


def _spellings(class_id: int) -> tuple[str, str]:
    """How it can stand behind the name of the member: a longer number begins like it."""
    return f" {class_id},", f" {class_id}}}"
