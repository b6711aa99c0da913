"""What the database and the listeners are told of a run at work; every write fails once the run is another worker's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db.database import Database
from db.enums import RunState
from db.queries.jobs import finish_job, own_job
from db.queries.runs import record_epochs, record_segments, rewind_run, transition
from db.queries.session_info import get_session_info
from db.tables.learning import Run, RunEpoch
from ml_service.training_loop import EpochDone

FLUSH_INTERVAL_S = 0.25
"""Finished epochs are recorded together, as each commit costs more than a small epoch."""


@dataclass(frozen=True)
class News:
    """What others may have changed."""

    stop_requested: bool
    label_sequence: int


class RunRecord:
    """The row of run `run_id`, which `worker_id` works at for the TRAIN job `job_id`."""

    def __init__(self, db: Database, run_id: int, job_id: int, worker_id: str) -> None:
        self.run_id = run_id
        self._db = db
        self._job_id = job_id
        self._worker_id = worker_id
        self._unrecorded: list[RunEpoch] = []
        self._best_epoch: int | None = None
        self._flushed_at = time.monotonic()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[tuple[Session, Run]]:
        """One transaction on the run's row.

        Args:
            durable: as in `Database.write`.

        Raises:
            JobLostError: another worker has the run now.
        """
        with self._db.write(durable=durable) as db_session:
            own_job(db_session, self._job_id, self._worker_id)
            yield db_session, db_session.get_one(Run, self.run_id)

    def news(self) -> News:
        """As the database has it now."""
        with self._db.read() as db_session:
            run = db_session.get_one(Run, self.run_id)
            return News(run.stop_requested, get_session_info(db_session).label_sequence)

    def begin(self, epoch: int, segments: tuple[dict[str, Any], ...]) -> None:
        """Go on after `epoch`, 0 for a run that begins; what was recorded of later ones is forgotten."""
        with self.transaction() as (db_session, run):
            rewind_run(db_session, run, epoch)
            record_segments(run, segments)

    def take_in(self, segments: tuple[dict[str, Any], ...]) -> None:
        """Other labels are learned from now."""
        with self.transaction() as (_db_session, run):
            record_segments(run, segments)

    def epoch_done(self, step: EpochDone, best_epoch: int | None) -> None:
        """Note an epoch; it is recorded at once or with those that follow soon."""
        self._best_epoch = best_epoch
        self._unrecorded.append(
            RunEpoch(run_id=self.run_id, epoch=step.epoch, train_loss=step.train_loss, val_loss=step.val_loss)
        )
        if time.monotonic() > self._flushed_at + FLUSH_INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Record the epochs noted."""
        if self._unrecorded:
            with self.transaction() as (db_session, run):
                self._flush(db_session, run)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The run waits meanwhile. It goes on only where this ends without an error."""
        with self.transaction() as (db_session, run):
            self._flush(db_session, run)
            transition(db_session, run, RunState.SUSPENDED)
        yield
        with self.transaction() as (db_session, run):
            transition(db_session, run, RunState.RUNNING)

    def finish(self, db_session: Session, run: Run, reason: str, message: str) -> None:
        """Record the end, in a `transaction`; a durable one where what the run has saved is removed after it."""
        self._flush(db_session, run)
        transition(db_session, run, RunState.FINISHED, reason=reason, message=message)
        finish_job(db_session, self._job_id, self._worker_id)

    def _flush(self, db_session: Session, run: Run) -> None:
        self._flushed_at = time.monotonic()
        run.best_epoch = self._best_epoch if self._best_epoch is not None else run.best_epoch
        if self._unrecorded:
            record_epochs(db_session, run, self._unrecorded)
            self._unrecorded = []
