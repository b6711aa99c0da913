"""Everything people said, complete, as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus
from db.queries.session_info import get_session_info
from db.tables.annotations import ImageClass, Label
from db.tables.session import LabelClass

FORMAT_VERSION = 1


def stream(db_session: Session, session: SessionSnapshot, *, history: bool) -> Iterator[bytes]:
    """{"format", "version", "session", "classes", "images": [...]}, image by image."""
    head = {
        "format": "fewclick",
        "version": FORMAT_VERSION,
        "session": _session(db_session, session),
        "classes": [_label_class(row) for row in db_session.scalars(select(LabelClass).order_by(LabelClass.id))],
    }
    yield (json.dumps(head)[:-1] + ', "images": [').encode()
    separator = "\n"
    for exported in read_images(db_session, session.class_ids, history=history):
        yield (separator + json.dumps(_image(exported, history=history))).encode()
        separator = ",\n"
    yield b"\n]}\n"


def _session(db_session: Session, session: SessionSnapshot) -> dict[str, Any]:
    return {
        "name": session.name,
        "task": session.task.name,
        "created_at": session.created_at.isoformat(),
        "extractor": session.extractor.to_json(),
        "training": session.training.model_dump(mode="json"),
        "label_sequence": get_session_info(db_session).label_sequence,
    }


def _label_class(row: LabelClass) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "color": row.color,
        "group": row.exclusive_group,
        "parent_id": row.parent_id,
        "position": row.position,
        "removed": row.removed_at is not None,
    }


def _mark(row: Label | ImageClass) -> dict[str, Any]:
    return {"class_id": row.class_id, "origin": row.origin.value, "created_at": row.created_at.isoformat()}


def _image(exported: ExportedImage, *, history: bool) -> dict[str, Any]:
    image, label = exported.image, exported.label
    content: dict[str, Any] = {
        "id": image.id,
        "path": image.path,
        "sha256": image.content_hash,
        "width": image.width,
        "height": image.height,
        "status": image.status.value,
        "failure": image.failure,
        "split": None if image.split is None else image.split.value,
        "comment": image.comment,
        "metadata": image.extra,
        "revision": image.revision,
        "skipped": image.status is ImageStatus.SKIPPED,
        "undetermined": image.status is ImageStatus.UNDETERMINED,
        "points": [
            {
                "x": point.x,
                "y": point.y,
                "class_id": point.class_id,
                "origin": point.origin.value,
                "created_at": point.created_at.isoformat(),
            }
            for point in exported.points
        ],
        "regions": [
            {
                "kind": one.shape.kind.value,
                "class_id": one.region.class_id,
                "origin": one.region.origin.value,
                "created_at": one.region.created_at.isoformat(),
                "geometry": one.shape.geometry,
            }
            for one in exported.regions
        ],
        "label": None if label is None else _mark(label),
        "labels": None if exported.classes is None else [_mark(mark) for mark in exported.classes],
    }
    if history:
        content["history_position"] = image.history_position
        content["history"] = [
            {"position": state.position, "created_at": state.created_at.isoformat(), **state.content}
            for state in exported.history
        ]
        if exported.shapes:
            # What "shape_id" in a state names.
            content["shapes"] = {
                str(shape_id): {"kind": shape.kind.value, "geometry": shape.geometry}
                for shape_id, shape in exported.shapes.items()
            }
    return content
