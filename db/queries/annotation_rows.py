"""The rows in force of one image's annotation: read as a state, turned into another one."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import ImageStatus, Origin
from db.queries.annotation_state import ClassMark, State, StoredPoint, marks
from db.queries.portions import in_portions
from db.queries.region_rows import read_regions, write_regions
from db.tables.annotations import ImageClass, Label, Point
from db.tables.images import Image
from db.tasks import Annotates, Task

# Built once: every click runs them, and putting a statement together takes longer than running it.
_POINTS = (
    select(Point.x, Point.y, Point.class_id, Point.origin, Point.id)
    .where(Point.image_id == bindparam("image_id"))
    .order_by(Point.id)
)
_CLASSES = select(ImageClass.class_id, ImageClass.origin).where(ImageClass.image_id == bindparam("image_id"))
_LABEL = select(Label.class_id, Label.origin).where(Label.image_id == bindparam("image_id"))
_DELETE_LABEL = delete(Label).where(Label.image_id == bindparam("of_image"))
_INSERT_LABEL = insert(Label).inline()
_INSERT_POINTS = insert(Point).inline()
_UPDATE_POINT = update(Point).where(Point.id == bindparam("row_id"))


def read_state(db_session: Session, image: Image, task: Task) -> State:
    """What the rows say, annotations of removed classes included."""
    aside = State(skipped=image.status is ImageStatus.SKIPPED, undetermined=image.status is ImageStatus.UNDETERMINED)
    if task.annotates is Annotates.IMAGE:
        label = db_session.connection().execute(_LABEL, {"image_id": image.id}).first()
        return replace(aside, label=None if label is None else (label.class_id, label.origin))
    if task.annotates is Annotates.CLASSES:
        found = db_session.connection().execute(_CLASSES, {"image_id": image.id})
        return replace(aside, classes=marks((row.class_id, row.origin) for row in found), answered_at=image.answered_at)
    rows = db_session.connection().execute(_POINTS, {"image_id": image.id})
    regions = read_regions(db_session, image.id) if image.region_count else ()
    return replace(aside, points=tuple(StoredPoint(*row) for row in rows), regions=regions)


def write_rows(db_session: Session, image: Image, before: State, after: State) -> State:
    """Turn the rows of `before` into those of `after`; returns it with ids. Equal points keep their rows."""
    if before.label != after.label:
        connection = db_session.connection()
        connection.execute(_DELETE_LABEL, {"of_image": image.id})
        if after.label is not None:
            class_id, origin = after.label
            connection.execute(_INSERT_LABEL, {"image_id": image.id, "class_id": class_id, "origin": origin})
    if set(before.classes) != set(after.classes):
        _write_marks(db_session, image, before.classes, after.classes)
    if before.regions != after.regions:
        write_regions(db_session, image, before.regions, after.regions)
    if before.points == after.points:
        return after
    points = _with_known_ids(before, after)
    by_id = {point.id: point for point in before.points}
    gone = by_id.keys() - {point.id for point in points}
    for ids in in_portions(sorted(point_id for point_id in gone if point_id is not None)):
        db_session.connection().execute(delete(Point).where(Point.id.in_(ids)))
    moved = [point for point in points if point.id is not None and by_id[point.id] != point]
    if moved:
        values = [{"row_id": p.id, "x": p.x, "y": p.y, "class_id": p.class_id, "origin": p.origin} for p in moved]
        db_session.connection().execute(_UPDATE_POINT, values)
    return replace(after, points=_insert_new(db_session, image, points))


def _write_marks(
    db_session: Session, image: Image, before: tuple[ClassMark, ...], after: tuple[ClassMark, ...]
) -> None:
    """Marks that stay keep their rows, and with them the time at which they were made."""
    for class_id, _origin in set(before).difference(after):
        is_it = ImageClass.class_id.is_(None) if class_id is None else ImageClass.class_id == class_id
        db_session.execute(delete(ImageClass).where(ImageClass.image_id == image.id, is_it))
    new = [mark for mark in after if mark not in before]
    if new:
        values = [{"image_id": image.id, "class_id": class_id, "origin": origin} for class_id, origin in new]
        db_session.execute(insert(ImageClass), values)


def _with_known_ids(before: State, after: State) -> list[StoredPoint]:
    """The points of `after`; those without an id take that of an equal point of `before` that nobody else claims."""
    claimed = {point.id for point in after.points}
    free: dict[tuple[float, float, int, Origin], list[int | None]] = {}
    for point in before.points:
        if point.id not in claimed:
            free.setdefault(point.content, []).append(point.id)
    points = []
    for point in after.points:
        if point.id is None and (ids := free.get(point.content)):
            points.append(replace(point, id=ids.pop(0)))
        else:
            points.append(point)
    return points


def _insert_new(db_session: Session, image: Image, points: list[StoredPoint]) -> tuple[StoredPoint, ...]:
    now = utc_now()
    values = [
        {"image_id": image.id, "class_id": p.class_id, "x": p.x, "y": p.y, "origin": p.origin, "created_at": now}
        for p in points
        if p.id is None
    ]
    if not values:
        return tuple(sorted(points, key=lambda point: point.id or 0))
    # One statement for all is far quicker without RETURNING; new rows have the largest ids, in the order given.
    db_session.connection().execute(_INSERT_POINTS, values)
    ids = (row.id for row in db_session.connection().execute(_POINTS, {"image_id": image.id}))
    kept = {point.id for point in points}
    new_ids = iter([point_id for point_id in ids if point_id not in kept])
    stored = [point if point.id is not None else replace(point, id=next(new_ids)) for point in points]
    return tuple(sorted(stored, key=lambda point: point.id or 0))
