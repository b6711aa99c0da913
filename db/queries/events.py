"""The outbox of server-sent events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.tables.processes import Event

# Built once: every click runs it, and putting a statement together takes longer than running it.
_INSERT = insert(Event).inline()
EventKind = Literal["annotation", "prediction", "training", "features", "job", "classes"]


def add_event(db_session: Session, kind: EventKind, **payload: Any) -> None:
    """Announce a change in the transaction that makes it; `payload` is plain JSON values."""
    db_session.connection().execute(_INSERT, {"kind": kind, "payload": payload})


def add_events(db_session: Session, kind: EventKind, payloads: Sequence[dict[str, Any]]) -> None:
    """As `add_event`, for many changes at once."""
    if payloads:
        db_session.connection().execute(_INSERT, [{"kind": kind, "payload": payload} for payload in payloads])


def events_after(db_session: Session, event_id: int, limit: int = 500) -> list[Event]:
    """Events younger than `event_id`, oldest first."""
    return list(db_session.scalars(select(Event).where(Event.id > event_id).order_by(Event.id).limit(limit)))


def last_event_id(db_session: Session) -> int:
    """Id of the newest event, 0 if there is none."""
    return db_session.scalar(select(func.max(Event.id))) or 0


def prune_events(db_session: Session, older_than: dt.timedelta) -> None:
    """Remove events that every listener has had time to read."""
    db_session.execute(delete(Event).where(Event.created_at < utc_now() - older_than))
