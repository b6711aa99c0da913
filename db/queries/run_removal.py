"""Losses of runs that nobody looks at any more."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from db.queries.runs import ENDED
from db.tables.learning import Checkpoint, Run, RunEpoch
from db.tables.session import SessionInfo

RUNS_WITH_LOSSES = 50
"""Newest runs whose losses stay, whether a checkpoint of them is left or not."""


def count_old_epochs(db_session: Session, keep: int = RUNS_WITH_LOSSES) -> int:
    """How many epochs `forget_old_epochs` would forget."""
    return db_session.scalar(select(func.count()).select_from(RunEpoch).where(_is_old(keep))) or 0


def forget_old_epochs(db_session: Session, keep: int = RUNS_WITH_LOSSES) -> None:
    """Remove the losses of runs that have ended, left no checkpoint, and are not among the newest `keep`.

    The runs themselves stay, with their figures.
    """
    db_session.execute(delete(RunEpoch).where(_is_old(keep)), execution_options={"synchronize_session": False})


def wait_for_disk(db_session: Session) -> None:
    """Have something to commit, so that a durable transaction waits for the disk, and all before it is there too."""
    # There and back: SQLite has nothing to commit after an update to the value that is there already.
    for step in (1, -1):
        db_session.execute(
            update(SessionInfo).values(label_sequence=SessionInfo.label_sequence + step),
            execution_options={"synchronize_session": False},
        )


def _is_old(keep: int) -> ColumnElement[bool]:
    newest = select(Run.id).order_by(Run.id.desc()).limit(keep)
    has_checkpoint = select(Checkpoint.run_id).where(Checkpoint.run_id.is_not(None))
    old = select(Run.id).where(Run.state.in_(ENDED), Run.id.not_in(newest), Run.id.not_in(has_checkpoint))
    return RunEpoch.run_id.in_(old)
