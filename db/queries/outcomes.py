"""Was the prediction right? Noted when a person says what is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from db.enums import Origin
from db.tables.learning import Agreement, Prediction, PredictionOutcome

AGREEMENTS_KEPT = 5000
"""Of the newest clicks; what was longer ago tells nothing about the head of today."""

# Built once: every click runs them, and putting a statement together takes longer than running it.
_INSERT = insert(Agreement).inline()
_FORGET = delete(Agreement).where(Agreement.id <= select(func.max(Agreement.id) - bindparam("kept")).scalar_subquery())


@dataclass(frozen=True)
class Statement:
    """What a person said of a point, or of one class of an image, beside what the prediction in sight had said."""

    class_id: int
    agreed: bool
    confidence: float
    """Of the prediction, 0..1."""
    predicted_class_id: int | None = None
    """Of a point; None where the statement is that the class holds or does not."""


class AgreementRow(NamedTuple):
    """A statement as it was noted."""

    at: dt.datetime
    image_id: int
    class_id: int
    agreed: bool
    unprompted: bool


def record_outcome(db_session: Session, image_id: int, class_id: int, origin: Origin) -> None:
    """Compare the first label of an image with the prediction that there is, if there is one.

    Later labels say nothing new, imported ones were not given beside a prediction.
    """
    if origin is Origin.IMPORTED:
        return
    prediction = db_session.get(Prediction, image_id)
    if prediction is None or not prediction.probabilities:
        return
    if db_session.get(PredictionOutcome, image_id) is not None:
        return
    top = int(np.argmax(prediction.probabilities))
    db_session.add(
        PredictionOutcome(
            image_id=image_id,
            predicted_class_id=prediction.class_ids[top],
            class_id=class_id,
            confidence=float(prediction.probabilities[top]),
        )
    )


def record_statements(
    db_session: Session, image_id: int, statements: Sequence[Statement], *, is_unprompted: bool
) -> None:
    """Note what a person said where a prediction was in sight; the oldest notes go.

    Args:
        is_unprompted: The first said of an image that the model had not picked. Of several points the first alone is.
    """
    rows = [
        {
            "image_id": image_id,
            "class_id": statement.class_id,
            "predicted_class_id": statement.predicted_class_id,
            "agreed": statement.agreed,
            "confidence": statement.confidence,
            "unprompted": is_unprompted and (position == 0 or statement.predicted_class_id is None),
        }
        for position, statement in enumerate(statements)
    ]
    if not rows:
        return
    connection = db_session.connection()
    connection.execute(_INSERT, rows)
    connection.execute(_FORGET, {"kept": AGREEMENTS_KEPT})


def count_outcomes(db_session: Session) -> int:
    """Images that had a prediction when they were labelled for the first time."""
    return db_session.scalar(select(func.count()).select_from(PredictionOutcome)) or 0


def newest_outcomes(db_session: Session, limit: int) -> list[tuple[dt.datetime, bool]]:
    """(when, was the prediction right) for the last first labels, oldest first."""
    right = (PredictionOutcome.predicted_class_id == PredictionOutcome.class_id).label("right")
    newest = select(PredictionOutcome.created_at, right).order_by(PredictionOutcome.created_at.desc()).limit(limit)
    return [(at, bool(was_right)) for at, was_right in db_session.execute(newest)][::-1]


def newest_agreements(db_session: Session, limit: int) -> list[AgreementRow]:
    """The last statements, oldest first."""
    columns = (Agreement.created_at, Agreement.image_id, Agreement.class_id, Agreement.agreed, Agreement.unprompted)
    newest = db_session.execute(select(*columns).order_by(Agreement.id.desc()).limit(limit))
    return [AgreementRow(*row) for row in newest][::-1]
