"""Losses go with runs that nobody looks at any more, and with no others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.database import ChangeDetector
from db.enums import CheckpointKind, RunState
from db.queries.run_removal import count_old_epochs, forget_old_epochs, wait_for_disk
from db.tables.learning import Checkpoint, Run, RunEpoch
from db.tables.session import SessionInfo


def _add_run(db_session: Session, state: RunState, *, saved: bool = False) -> int:
    run = Run(state=state)
    db_session.add(run)
    db_session.flush()
    db_session.add_all([RunEpoch(run_id=run.id, epoch=epoch, train_loss=0.5) for epoch in (1, 2)])
    if saved:
        db_session.add(Checkpoint(kind=CheckpointKind.RUN, path=f"run-{run.id}", head_version=1, run_id=run.id))
    return run.id


def test_forget_old_epochs__those_of_ended_runs_without_a_checkpoint(classification_session: Any) -> None:
    with classification_session.database.write() as db_session:
        ended = _add_run(db_session, RunState.FINISHED)
        saved = _add_run(db_session, RunState.FINISHED, saved=True)
        suspended = _add_run(db_session, RunState.SUSPENDED)
        failed = _add_run(db_session, RunState.FAILED)
        newest = [_add_run(db_session, RunState.FINISHED) for _ in range(2)]
        assert count_old_epochs(db_session, keep=2) == 4
        forget_old_epochs(db_session, keep=2)
        left = set(db_session.scalars(select(RunEpoch.run_id)))
        assert left == {saved, suspended, *newest}
        assert {ended, failed} <= set(db_session.scalars(select(Run.id)))
        assert count_old_epochs(db_session, keep=2) == 0


def test_wait_for_disk__there_is_something_to_commit_and_nothing_has_changed(classification_session: Any) -> None:
    database = classification_session.database
    with database.write() as db_session:
        before = db_session.get_one(SessionInfo, 1).label_sequence
    detector = ChangeDetector(database.engine)
    detector.changed()
    with database.write(durable=True) as db_session:
        wait_for_disk(db_session)
    assert detector.changed()
    with database.read() as db_session:
        assert db_session.get_one(SessionInfo, 1).label_sequence == before
    detector.close()
