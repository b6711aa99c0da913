"""One line per point, or per labelled image; where images have several classes, with a column for each class."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.orm import Session

from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.tasks import Annotates

POINT_COLUMNS = ("image_id", "path", "width", "height", "x", "y", "class_id", "class", "origin")
LABEL_COLUMNS = ("image_id", "path", "class_id", "class", "origin")
CLASSES_COLUMNS = ("image_id", "path")
RowsOf = Callable[[ExportedImage, dict[int, str]], list[tuple[object, ...]]]


def stream(db_session: Session, session: SessionSnapshot) -> Iterator[bytes]:
    """A header, then the lines (UTF-8, RFC 4180)."""
    names = {label_class.id: label_class.name for label_class in session.classes}
    header, rows_of = _layout(session.task.annotates)
    yield _lines([header if session.task.annotates is not Annotates.CLASSES else (*header, *names.values())])
    for exported in read_images(db_session, session.class_ids):
        rows = rows_of(exported, names)
        if rows:
            yield _lines(rows)


def _layout(annotates: Annotates) -> tuple[tuple[str, ...], RowsOf]:
    """The columns, and what fills them."""
    match annotates:
        case Annotates.POINTS:
            return POINT_COLUMNS, _points
        case Annotates.IMAGE:
            return LABEL_COLUMNS, _label
        case Annotates.CLASSES:
            return CLASSES_COLUMNS, _classes


def _points(exported: ExportedImage, names: dict[int, str]) -> list[tuple[object, ...]]:
    image = exported.image
    return [
        (image.id, image.path, image.width, image.height, p.x, p.y, p.class_id, names[p.class_id], p.origin.value)
        for p in exported.points
    ]


def _label(exported: ExportedImage, names: dict[int, str]) -> list[tuple[object, ...]]:
    image, label = exported.image, exported.label
    if label is None:
        return []
    return [(image.id, image.path, label.class_id, names[label.class_id], label.origin.value)]


def _classes(exported: ExportedImage, names: dict[int, str]) -> list[tuple[object, ...]]:
    """1 for each class that holds, 0 for each other; an image that nobody has answered for has no line."""
    if exported.classes is None:
        return []
    held = {mark.class_id for mark in exported.classes}
    return [(exported.image.id, exported.image.path, *(int(class_id in held) for class_id in names))]


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
