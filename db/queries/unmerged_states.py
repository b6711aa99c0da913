"""Histories, as a merge of classes is taken back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from db.queries.class_histories import Merges, in_present_names, read_merges
from db.queries.merged_content import Said, beside, given_back, joined, said_with, still_said
from db.queries.portions import in_portions
from db.queries.state_texts import said_again, state_text, write_text
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.session import ClassMerge


def give_back_states(
    db_session: Session, noted: ClassMerge, had: dict[int, Said], of_states: dict[int, dict[str, Any]]
) -> tuple[dict[int, Said], dict[int, str]]:
    """Let the histories of these images name the class again.

    Args:
        had: what the rows of each image had, by image.
        of_states: what is noted of states that were rewritten by the merge, as once was done, by id.

    Returns:
        What the rows of each have to give back, and who said of the class that it holds, by image, in answers in force.
    """
    connection = db_session.connection()
    earlier = read_merges(db_session, before=noted)
    in_force = dict(connection.execute(select(Image.id, Image.history_position).where(Image.id.in_(had))).all())
    now = dict(had)
    changed = []
    answers = {}
    # Each is made out of the one before: texts are read only where something follows from them.
    image_of_before, position_of_before, before = 0, 0, ""
    for state_id, image_id, position, text in _states(connection, noted, in_force, of_states):
        if state_id <= noted.last_state_id:
            after = _as_before(text, of_states.get(state_id), noted)
        else:
            # The one before may be forgotten: then what the rows had is all that is known.
            is_known = (image_of_before, position_of_before) == (image_id, position - 1)
            known = _said_in(before, noted, earlier) if is_known else Said() if position == 1 else had[image_id]
            after = _as_kept_since(text, known, noted)
        image_of_before, position_of_before, before = image_id, position, after
        if after != text:
            changed.append({"row_id": state_id, "text": after})
        if position == in_force[image_id]:
            named = _said_in(after, noted, earlier)
            now[image_id] = joined(named, beside(had[image_id], json.loads(after)))
            if named.mark is not None:
                answers[image_id] = named.mark[0]
    if changed:
        connection.execute(write_text(connection), changed)
    return now, answers


def _states(
    connection: Connection, noted: ClassMerge, in_force: dict[int, int], of_states: Collection[int]
) -> Iterator[tuple[int, int, int, str]]:
    """Id, image, position and text of the states, in their order, that were made or rewritten since, of what they were
    made of, and of those in force: `in_force` has their positions by image.
    """
    found = select(AnnotationState.id, AnnotationState.image_id, AnnotationState.position)
    found = found.where(AnnotationState.image_id.in_(in_force))
    rows = connection.execute(found.order_by(AnnotationState.image_id, AnnotationState.position)).all()
    is_wanted = [
        state_id > noted.last_state_id or state_id in of_states or position == in_force[image_id]
        for state_id, image_id, position in rows
    ]
    is_made_of = [row.id > noted.last_state_id for row in rows][1:]
    wanted = (row for row, *why in zip_longest(rows, is_wanted, is_made_of) if any(why))
    for portion in in_portions(wanted):
        of_portion = AnnotationState.id.in_([row.id for row in portion])
        texts = dict(connection.execute(select(AnnotationState.id, state_text).where(of_portion)).all())
        for state_id, image_id, position in portion:
            yield state_id, image_id, position, texts[state_id]


def _as_before(text: str, content: dict[str, Any] | None, noted: ClassMerge) -> str:
    """A state from before the merge, as it was then: merges of earlier versions rewrote it."""
    if content is None:
        return text
    if "at" in content:
        return said_again(text, content["at"], noted.class_id, noted.into_id)
    return json.dumps(given_back(json.loads(text), Said.from_json(content), noted.class_id, noted.into_id))


def _as_kept_since(text: str, before: Said, noted: ClassMerge) -> str:
    """A state from after the merge, with what it kept of what was said `before` it."""
    if not before:
        return text
    state = json.loads(text)
    kept = still_said(before, state, noted.into_id)
    return json.dumps(given_back(state, kept, noted.class_id, noted.into_id)) if kept else text


def _said_in(text: str, noted: ClassMerge, earlier: Merges) -> Said:
    return said_with(in_present_names(json.loads(text), earlier), noted.class_id, noted.into_id)
