"""In which order heads began to predict: what `roll back` goes back along."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.enums import CheckpointKind
from db.queries.session_info import get_session_info
from db.tables.learning import Checkpoint

TRAIL_KEY = "head_trail"
"""Of `SessionInfo.config`."""
MAX_STEPS = 100
Step = int | None
"""Id of a checkpoint; None: the live head while it was not saved."""


def read_trail(db_session: Session) -> list[Step]:
    """Oldest first; the head that predicts now is the last one, unless it is a live head not saved yet.

    A session of an earlier version, which kept no trail, is taken by when each head last began to predict.
    """
    stored = get_session_info(db_session).config.get(TRAIL_KEY)
    if stored is not None:
        return list(stored)
    began = func.coalesce(Checkpoint.activated_at, Checkpoint.created_at)
    has_predicted = (Checkpoint.kind == CheckpointKind.LIVE) | Checkpoint.activated_at.is_not(None)
    statement = select(Checkpoint.id).where(has_predicted, Checkpoint.kind != CheckpointKind.ADAPTER)
    found: list[Step] = [*db_session.scalars(statement.order_by(began, Checkpoint.id))]
    return found[-MAX_STEPS:]


def note_step(db_session: Session, step: Step, *, was_unsaved: bool = False) -> None:
    """A head began to predict; one that goes on predicting is not noted twice.

    Args:
        was_unsaved: It is the live head, which was not saved until now.
    """
    trail = read_trail(db_session)
    if was_unsaved and trail and trail[-1] is None:
        trail.pop()
    if not trail or trail[-1] != step:
        trail.append(step)
    _store(db_session, trail)


def cut_trail(db_session: Session, step: Step) -> None:
    """Forget what predicted after the last time that `step` did."""
    trail = read_trail(db_session)
    while trail and trail[-1] != step:
        trail.pop()
    _store(db_session, trail)


def _store(db_session: Session, trail: list[Step]) -> None:
    info = get_session_info(db_session)
    info.config = {**info.config, TRAIL_KEY: trail[-MAX_STEPS:]}
