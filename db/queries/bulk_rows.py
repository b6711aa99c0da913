"""Rows of many images that are changed together: read and written in few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import ImageStatus, Split
from db.queries.annotation_change import HISTORY_LENGTH, INSERT_STATE
from db.queries.annotation_state import ClassMark, State, marks
from db.queries.class_histories import KEEP_APART, in_present_names, read_merges
from db.queries.portions import in_portions
from db.tables.annotations import AnnotationState, ImageClass, Label
from db.tables.images import Image
from db.tasks import Annotates, Task

FEWEST_ALIKE = 20
"""Images for which one statement of their own costs less than a row of parameters for each."""

_UPDATE_IMAGE = update(Image).where(Image.id == bindparam("row_id"))


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a change of many looks at of an image: an object of the ORM for each would cost most of the time."""

    id: int
    revision: int
    status: ImageStatus
    history_position: int
    answered_at: int
    label_sequence: int
    split: Split | None
    picked_by_model: bool
    width: int | None
    height: int | None


_COLUMNS = [getattr(Image, name) for name in ImageFacts.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of one image."""

    image: ImageFacts
    before: State
    after: State
    position: int
    """In its history."""


def read_images(db_session: Session, image_ids: Iterable[int]) -> dict[int, ImageFacts]:
    """Those that there are, in any order; others are kept from changing them."""
    images: dict[int, ImageFacts] = {}
    for ids in in_portions(image_ids):
        rows = select(*_COLUMNS).where(Image.id.in_(ids)).order_by(Image.id).with_for_update()
        images.update((row[0], ImageFacts(*row)) for row in db_session.connection().execute(rows))
    return images


def read_states(db_session: Session, images: Mapping[int, ImageFacts], task: Task) -> dict[int, State]:
    """The states in force, annotations of removed classes included, of images that are labelled as wholes."""
    plain = {
        status: State(skipped=status is ImageStatus.SKIPPED, undetermined=status is ImageStatus.UNDETERMINED)
        for status in ImageStatus
    }
    states = {image.id: plain[image.status] for image in images.values()}
    found: dict[int, list[ClassMark]] = {}
    table = _marks_table(task)
    for ids in in_portions(images):
        rows = select(table.image_id, table.class_id, table.origin).where(table.image_id.in_(ids))
        for image_id, class_id, origin in db_session.connection().execute(rows):
            found.setdefault(image_id, []).append((class_id, origin))
    for image_id, held in found.items():
        if table is ImageClass:
            states[image_id] = replace(states[image_id], classes=marks(held), answered_at=images[image_id].answered_at)
        elif held[0][0] is not None:
            states[image_id] = replace(states[image_id], label=(held[0][0], held[0][1]))
    return states


def read_past(db_session: Session, positions: Mapping[int, int]) -> dict[int, State]:
    """The states of the past at these positions; position 0, which has no row, as long as the first is kept."""
    found: dict[int, State] = {}
    merges = read_merges(db_session)
    for ids in in_portions(positions):
        wanted = {image_id: max(positions[image_id], 1) for image_id in ids}
        rows = select(AnnotationState.image_id, AnnotationState.position, AnnotationState.state).where(
            AnnotationState.image_id.in_(ids),
            # Pairs would be exact, but SQLite looks through the whole table for them.
            AnnotationState.position.in_(sorted(set(wanted.values()))),
        )
        for image_id, position, state in db_session.connection().execute(rows):
            if position == wanted[image_id]:
                found[image_id] = (
                    State.from_json(in_present_names(state, merges)) if positions[image_id] > 0 else State()
                )
    return found


def remember(db_session: Session, planned: Sequence[Planned]) -> None:
    """Make the states that come after the newest steps of the histories."""
    connection = db_session.connection()
    now = utc_now()
    by_position: dict[int, list[int]] = defaultdict(list)
    alike: dict[tuple[int, State], list[int]] = defaultdict(list)
    for plan in planned:
        by_position[plan.position].append(plan.image.id)
        alike[plan.position, plan.after].append(plan.image.id)
    for position, image_ids in by_position.items():
        for ids in in_portions(image_ids):
            gone = (AnnotationState.position >= position) | (AnnotationState.position <= position - HISTORY_LENGTH)
            connection.execute(delete(AnnotationState).where(AnnotationState.image_id.in_(ids), gone))
    connection.execute(KEEP_APART)
    few: list[dict[str, Any]] = []
    for (position, state), image_ids in alike.items():
        row = {"position": position, "state": state.to_json(), "created_at": now}
        if len(image_ids) < FEWEST_ALIKE:
            few += [{"image_id": image_id, **row} for image_id in image_ids]
        else:
            _insert_alike(db_session, AnnotationState, image_ids, row)
    if few:
        connection.execute(INSERT_STATE, few)


def write_marks(db_session: Session, planned: Iterable[Planned], task: Task) -> None:
    """Make what is said of the images the rows in force."""
    table = _marks_table(task)
    touched = [plan for plan in planned if set(marks_of(plan.before)) != set(marks_of(plan.after))]
    for ids in in_portions(plan.image.id for plan in touched if marks_of(plan.before)):
        db_session.connection().execute(delete(table).where(table.image_id.in_(ids)))
    with_mark: dict[ClassMark, list[int]] = defaultdict(list)
    for plan in touched:
        for mark in marks_of(plan.after):
            with_mark[mark].append(plan.image.id)
    now = utc_now()
    for (class_id, origin), image_ids in with_mark.items():
        _insert_alike(db_session, table, image_ids, {"class_id": class_id, "origin": origin, "created_at": now})


def write_images(db_session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set columns of images, the same of each, beside `row_id`."""
    db_session.connection().execute(_UPDATE_IMAGE, rows)


def marks_of(state: State) -> tuple[ClassMark, ...]:
    """What a state of a whole image says of classes, in whichever form."""
    return state.classes if state.label is None else (state.label,)


def _marks_table(task: Task) -> type[Label | ImageClass]:
    return ImageClass if task.annotates is Annotates.CLASSES else Label


def _insert_alike(
    db_session: Session,
    table: type[AnnotationState | Label | ImageClass],
    image_ids: Sequence[int],
    values: Mapping[str, Any],
) -> None:
    """A row for each image that says the same of all of them."""
    columns = [literal(value, getattr(table, name).type) for name, value in values.items()]
    for ids in in_portions(image_ids):
        rows = select(Image.id, *columns).where(Image.id.in_(ids))
        statement = insert(table).from_select(["image_id", *values], rows, include_defaults=False)
        db_session.connection().execute(statement)
