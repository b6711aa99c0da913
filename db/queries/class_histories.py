"""What earlier states of images say of classes that were merged since.

A merge leaves the histories as they are: to rewrite them takes seconds, in which nobody's click is stored. Whoever
reads a state reads it `in_present_names`; what a person changes is written in those.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.tables.annotations import AnnotationState
from db.tables.session import ClassMerge

Merges = Sequence[tuple[int, int]]
"""A class, and the one that it was merged into, in the order in which that was done."""

_newest = select(func.coalesce(func.max(AnnotationState.id), 0)).scalar_subquery()
KEEP_APART = update(ClassMerge).where(ClassMerge.last_state_id > _newest).values(last_state_id=_newest)
"""To be run before states are added. Ids of forgotten states come again for others, on SQLite: what was there at a
merge must stay below all that comes after it.
"""

# Built once: every undo runs it, and putting a statement together takes longer than running it.
_MERGES = select(ClassMerge.class_id, ClassMerge.into_id).order_by(ClassMerge.id)


def read_merges(db_session: Session, before: ClassMerge | None = None) -> Merges:
    """Those that hold, or those of them that came before one."""
    statement = _MERGES if before is None else _MERGES.where(ClassMerge.id < before.id)
    return [(class_id, into_id) for class_id, into_id in db_session.connection().execute(statement)]


def in_present_names(state: dict[str, Any], merges: Merges) -> dict[str, Any]:
    """The content of a state as if the merges had been done in it too."""
    if not merges:
        return state
    names: dict[int | None, int] = {}
    for class_id, into_id in merges:
        names |= {old: into_id for old, new in names.items() if new == class_id} | {class_id: into_id}
    said = {**state, "points": _renamed(state["points"], names)}
    if state["label"] is not None:
        [said["label"]] = _renamed([state["label"]], names)
    if "regions" in state:
        said["regions"] = _renamed(state["regions"], names)
    if "classes" in state:
        said["classes"] = _joined(state["classes"], merges)
    return said


def with_marks_of(state: dict[str, Any], class_ids: Container[int | None], merges: Merges) -> dict[str, Any]:
    """The content of a state as it is kept, with what it says of other classes left out; the ids are present ones."""
    marks = state.get("classes", ())
    return {**state, "classes": [mark for mark in marks if _joined([mark], merges)[0]["class_id"] in class_ids]}


def _renamed(found: Iterable[dict[str, Any]], names: dict[int | None, int]) -> list[dict[str, Any]]:
    return [
        {**one, "class_id": names[one["class_id"]]} if one["class_id"] in names else one  # as most are
        for one in found
    ]


def _joined(marks: Iterable[dict[str, Any]], merges: Merges) -> list[dict[str, Any]]:
    """An answer with several classes: one with both of two that were merged keeps what it says of the second."""
    origins = {mark["class_id"]: mark["origin"] for mark in marks}
    for class_id, into_id in merges:
        if class_id in origins:
            origin = origins.pop(class_id)
            origins.setdefault(into_id, origin)
    return [{"class_id": found, "origin": origin} for found, origin in sorted(origins.items(), key=lambda m: m[0] or 0)]
