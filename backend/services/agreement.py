"""Whether what a person says agrees with the prediction in sight: noted with every click, told by `GET /api/stats`.

"In sight" is the newest prediction that there was when the request arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from backend.schemas.annotations import AnnotationPut, PointIn
from db.queries.outcomes import Statement, record_statements
from db.tables.annotations import Point
from db.tables.images import Image
from db.tables.learning import Prediction
from models.prediction_store import logits_at, softmax

MOST_CLICKS = 10
"""New points in one request; more were not set by hand."""

# Built once: every click runs them, and putting a statement together takes longer than running it.
_PREDICTION = select(Prediction.class_ids, Prediction.probabilities, Prediction.map_path).where(
    Prediction.image_id == bindparam("image_id")
)
_PLACES = select(Point.x, Point.y).where(Point.image_id == bindparam("image_id"))
Shown = Row[tuple[list[Any], list[Any] | None, str | None]]
"""What of a prediction is in sight."""


def note_agreement(db_session: Session, session_dir: Path, image: Image, body: AnnotationPut) -> None:
    """Note, before `body` is written, what the prediction says of it. To be rolled back with a refused request."""
    prediction = db_session.connection().execute(_PREDICTION, {"image_id": image.id}).first()
    if prediction is None or len(prediction.class_ids) < 2:
        return
    statements: list[Statement] = []
    if body.points is not None and prediction.map_path is not None:
        statements = _of_points(session_dir, image, prediction, _new_points(db_session, image, body.points))
    elif body.class_ids is not None and prediction.probabilities and image.split is None:
        # Only the first answer for an image is free of what was said before.
        statements = _of_classes(prediction, body.class_ids)
    is_unprompted = image.split is None and not image.picked_by_model
    record_statements(db_session, image.id, statements, is_unprompted=is_unprompted)


def _new_points(db_session: Session, image: Image, points: Sequence[PointIn]) -> list[PointIn]:
    """Those set since; none where they are too many to be clicks."""
    new = [point for point in points if point.id is None]
    if not 0 < len(new) <= MOST_CLICKS:
        return []
    rows = db_session.connection().execute(_PLACES, {"image_id": image.id})
    known = {(x, y) for x, y in rows}
    return [point for point in new if (point.x, point.y) not in known]


def _of_points(session_dir: Path, image: Image, prediction: Shown, points: Sequence[PointIn]) -> list[Statement]:
    if not points or prediction.map_path is None or not image.width or not image.height:
        return []
    xy = np.array([(point.x, point.y) for point in points])
    try:
        logits = logits_at(session_dir, prediction.map_path, (image.width, image.height), xy)
    except FileNotFoundError:
        # Replaced at this very moment: there is nothing to compare with, and the click must not wait for more.
        return []
    probabilities = softmax(logits, axis=1)
    top = probabilities.argmax(axis=1)
    return [
        Statement(
            class_id=point.class_id,
            predicted_class_id=prediction.class_ids[k],
            agreed=prediction.class_ids[k] == point.class_id,
            confidence=float(p[k]),
        )
        for point, k, p in zip(points, top.tolist(), probabilities, strict=True)
    ]


def _of_classes(prediction: Shown, class_ids: Collection[int]) -> list[Statement]:
    """Of the classes that are named: the page saves each toggle, so that more may follow. None of them is complete."""
    return [
        Statement(class_id=class_id, agreed=(p >= 0.5) == (class_id in class_ids), confidence=max(p, 1 - p))
        for class_id, p in zip(prediction.class_ids, prediction.probabilities or [], strict=True)
        if class_id in class_ids or not class_ids
    ]
