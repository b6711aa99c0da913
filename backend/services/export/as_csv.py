"""One line per point, or per labelled image."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.tasks import Annotates

POINT_COLUMNS = ("image_id", "path", "width", "height", "x", "y", "class_id", "class", "origin")
LABEL_COLUMNS = ("image_id", "path", "class_id", "class", "origin")


def stream(db_session: Session, session: SessionSnapshot) -> Iterator[bytes]:
    """A header, then the lines (UTF-8, RFC 4180)."""
    names = {label_class.id: label_class.name for label_class in session.classes}
    has_points = session.task.annotates is Annotates.POINTS
    yield _lines([POINT_COLUMNS if has_points else LABEL_COLUMNS])
    for exported in read_images(db_session, session.class_ids):
        rows = _points(exported, names) if has_points else _label(exported, names)
        if rows:
            yield _lines(rows)


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


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
