"""Quality of the live head over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, null, select, update
from sqlalchemy.orm import Session, defer

from db.tables.learning import Measurement

KEPT = 200
"""Measurements kept at most; beyond, every second of the older ones goes."""
KEPT_ALL = 50
"""The newest, of which none goes."""


def newest_measurement(db_session: Session) -> Measurement | None:
    """The last one, with its details."""
    return db_session.scalar(select(Measurement).order_by(Measurement.id.desc()).limit(1))


def list_measurements(db_session: Session) -> Sequence[Measurement]:
    """All, oldest first, without their details."""
    return db_session.scalars(select(Measurement).options(defer(Measurement.details)).order_by(Measurement.id)).all()


def save_measurement(db_session: Session, values: dict[str, Any]) -> Measurement:
    """Add a point to the history, in place of one of the very same labels; the details of earlier ones go.

    Args:
        values: of the columns but `id` and `created_at`.
    """
    db_session.execute(delete(Measurement).where(Measurement.content_hash == values["content_hash"]))
    db_session.execute(update(Measurement).where(Measurement.details.is_not(None)).values(details=null()))
    measurement = Measurement(**values)
    db_session.add(measurement)
    db_session.flush()
    ids = list(db_session.scalars(select(Measurement.id).order_by(Measurement.id)))
    if len(ids) > KEPT:
        # The first stays: a curve begins where it began.
        db_session.execute(delete(Measurement).where(Measurement.id.in_(ids[:-KEPT_ALL][1::2])))
    return measurement


def confirm_measurement(db_session: Session, measurement_id: int, label_sequence: int) -> None:
    """The newest one also holds for these labels, as an undo has brought back what it had measured."""
    db_session.execute(
        update(Measurement).where(Measurement.id == measurement_id).values(label_sequence=label_sequence)
    )
