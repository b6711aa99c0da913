"""One line per point, or per image; where images have several classes, with a column for each class."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus
from db.tables.images import Image
from db.tasks import Annotates
from models.csv_cells import guarded

POINT_COLUMNS = ("image_id", "path", "width", "height", "x", "y", "class_id", "class", "origin")
LABEL_COLUMNS = ("image_id", "path", "class_id", "class", "origin")
CLASSES_COLUMNS = ("image_id", "path", "class_ids", "origin")
PARENTS, UNDETERMINED, COMMENT, STATUS = "parents", "undetermined", "comment", "status"
SEPARATOR = ";"
Row = tuple[object, ...]


def stream(db_session: Session, session: SessionSnapshot, *, all_images: bool = False) -> Iterator[bytes]:
    """A header, then the lines (UTF-8, RFC 4180); no text in them is a formula.

    Args:
        all_images: Whether images that nobody has answered for have a line too, with their status; not of points.
    """
    layout = _layout(db_session, session, all_images=all_images)
    yield _lines([layout.header()])
    for exported in read_images(db_session, session.class_ids):
        rows = layout.rows(exported)
        if rows:
            yield _lines(rows)


@dataclass(frozen=True)
class _Layout:
    """The columns, and what fills them."""

    annotates: Annotates
    names: dict[int, str]
    parents: dict[int, str] | None
    """Names of the classes above by class, the topmost first; None where no class stands below another."""
    has_undetermined: bool
    """Whether there is a column, and a line for each image, of what nobody could tell."""
    has_comments: bool
    """Whether there is a column of comments."""
    all_images: bool = False
    """Whether each image has a line, and there is a column that says where it stands."""

    def header(self) -> Row:
        undetermined = (UNDETERMINED,) if self.has_undetermined else ()
        parents = (PARENTS,) if self.parents is not None else ()
        comment = (COMMENT,) if self.has_comments else ()
        status = (STATUS,) if self.all_images else ()
        match self.annotates:
            case Annotates.POINTS:
                return (*POINT_COLUMNS, *parents, *undetermined, *comment)
            case Annotates.IMAGE:
                return (*LABEL_COLUMNS, *parents, *undetermined, *comment, *status)
            case Annotates.CLASSES:
                # Those of the classes last: one of them may be called like another column.
                return (*CLASSES_COLUMNS, *undetermined, *comment, *status, *self.names.values())

    def rows(self, exported: ExportedImage) -> list[Row]:
        if exported.image.status is ImageStatus.UNDETERMINED:
            return [self._empty(exported.image, 1)]
        match self.annotates:
            case Annotates.POINTS:
                return self._points(exported)
            case Annotates.IMAGE:
                return self._label(exported)
            case Annotates.CLASSES:
                return self._classes(exported)

    def _points(self, exported: ExportedImage) -> list[Row]:
        image = exported.image
        place = (image.id, image.path, image.width, image.height)
        return [(*place, p.x, p.y, *self._said(image, p.class_id, p.origin.value)) for p in exported.points]

    def _label(self, exported: ExportedImage) -> list[Row]:
        image, label = exported.image, exported.label
        if label is None:
            return [self._empty(image, 0)] if self.all_images else []
        return [(image.id, image.path, *self._said(image, label.class_id, label.origin.value))]

    def _said(self, image: Image, class_id: int, origin: str) -> Row:
        parents = () if self.parents is None else (self.parents[class_id],)
        return (class_id, self.names[class_id], origin, *parents, *self._last(image, 0))

    def _classes(self, exported: ExportedImage) -> list[Row]:
        """1 for each class that holds, 0 for each other."""
        image = exported.image
        if exported.classes is None:
            return [self._empty(image, 0)] if self.all_images else []
        origin_of = {mark.class_id: mark.origin.value for mark in exported.classes}
        held = [class_id for class_id in self.names if class_id in origin_of]
        ids = SEPARATOR.join(str(class_id) for class_id in held)
        origins = [origin_of[class_id] for class_id in held]
        # One where all are the same, else one for each of the ids.
        origin = SEPARATOR.join(origins if len(set(origins)) > 1 else origins[:1])
        marks = (int(class_id in origin_of) for class_id in self.names)
        return [(image.id, image.path, ids, origin, *self._last(image, 0), *marks)]

    def _empty(self, image: Image, undetermined: int) -> Row:
        """The image with nothing but whether it is undetermined, its comment and its status."""
        place: Row = (image.id, image.path)
        if self.annotates is Annotates.POINTS:
            place = (*place, image.width, image.height)
        last = self._last(image, undetermined)
        behind = len(self.names) if self.annotates is Annotates.CLASSES else 0
        left = len(self.header()) - len(place) - len(last) - behind
        return (*place, *[""] * left, *last, *[""] * behind)

    def _last(self, image: Image, undetermined: int) -> Row:
        """What stands behind the classes, or before the columns of classes."""
        comment = (image.comment or "",) if self.has_comments else ()
        status = (image.status.value,) if self.all_images and self.annotates is not Annotates.POINTS else ()
        return (*((undetermined,) if self.has_undetermined else ()), *comment, *status)


def _layout(db_session: Session, session: SessionSnapshot, *, all_images: bool) -> _Layout:
    names = {label_class.id: label_class.name for label_class in session.classes}
    tree = session.class_tree
    parents = {c: SEPARATOR.join(names[above] for above in tree.above(c)[::-1]) for c in names}
    has_undetermined = db_session.scalar(select(exists().where(Image.status == ImageStatus.UNDETERMINED)))
    has_comments = db_session.scalar(select(exists().where(Image.comment.is_not(None))))
    return _Layout(
        annotates=session.task.annotates,
        names=names,
        parents=parents if any(parents.values()) else None,
        has_undetermined=bool(has_undetermined),
        has_comments=bool(has_comments),
        all_images=all_images,
    )


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(map(guarded, row) for row in rows)
    return text.getvalue().encode()
