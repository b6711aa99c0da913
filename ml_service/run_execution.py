"""One full run, from its QUEUED row to its end: drives the training loop, and gives way to clicks between batches."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from db.queries.session_info import get_session_info, training_settings
from db.queries.training_data import class_names
from ml_service.context import Context
from ml_service.errors import StoppingError
from ml_service.head_keeper import HeadKeeper
from ml_service.loop_files import load_loop
from ml_service.run_files import remove_loops
from ml_service.run_loop import RunLoop, begin_loop, resume_loop
from ml_service.run_record import RunRecord
from ml_service.run_result import RunResult, goes_on
from ml_service.run_setup import RunInputs
from ml_service.training_loop import EpochDone

STOPPED = "stopped"
logger = logging.getLogger(__name__)


class Attendant(Protocol):
    """The worker, as far as a run needs it between two batches."""

    worker_id: str

    def is_stopping(self) -> bool:
        """Whether the service was told to stop."""
        ...

    def has_news(self) -> bool:
        """Whether something was committed since the last look. Cheap."""
        ...

    def has_urgent_jobs(self) -> bool:
        """Whether clicks wait for an answer."""
        ...

    def serve_urgent_jobs(self) -> None:
        """Answer them."""
        ...

    def tick_if_due(self) -> bool:
        """Show signs of life."""
        ...


class RunStoppedError(Exception):
    """A person has stopped this run."""


class RunExecution:
    """Executes the run `run_id` for the TRAIN job `job_id`."""

    def __init__(self, context: Context, keeper: HeadKeeper, attendant: Attendant, run_id: int, job_id: int) -> None:
        self._context = context
        self._keeper = keeper
        self._attendant = attendant
        self._run_id = run_id
        self._record = RunRecord(context.db, run_id, job_id, attendant.worker_id)
        self._result = RunResult(context, self._record)
        self._label_sequence = 0
        self._loop: RunLoop | None = None
        """What can be saved; none while the labels are read for the first time."""
        self._saved_at = time.monotonic()

    def execute(self) -> None:
        """Train, predict now and then, keep the better head, and record the end.

        Raises:
            StoppingError: the service stops; the run is to go on later.
            JobLostError: another worker has the run now.
            LearningError, FeatureMismatchError: the run failed.
        """
        try:
            self._loop = self._begin()
            reason = self._train(self._loop)
        except RunStoppedError:
            reason = STOPPED
        self._finish(reason, self._loop)
        remove_loops(self._context.session_dir, [self._run_id])

    def _begin(self) -> RunLoop:
        """A new loop, or the one that a stopped service has left."""
        context = self._context
        self._attend()
        self._keeper.ensure_current()
        with context.db.read() as db_session:
            context.training_set.sync(db_session)
            settings = training_settings(get_session_info(db_session))
            names = class_names(db_session)
        saved = load_loop(context.session_dir, self._run_id)
        inputs = RunInputs(context, settings.head if saved is None else saved.settings.head, self._attend)
        loop = None if saved is None else resume_loop(context, inputs, saved, names)
        if loop is not None:
            logger.info("run %d goes on after epoch %d, where a service had left it", self._run_id, loop.state.epoch)
        else:
            inputs = RunInputs(context, settings.head, self._attend)
            loop = begin_loop(context, inputs, self._keeper.scalers.scaler, settings, names)
        self._record.begin(loop.state.epoch, loop.segments)
        return loop

    def _train(self, loop: RunLoop) -> str:
        """Run the loop to its end; returns the reason of the end."""
        while True:
            for step in loop.steps():
                if isinstance(step, EpochDone):
                    self._after_epoch(step, loop)
                self._attend()
                if self._take_in_labels(loop):
                    break
            else:
                self._label_sequence = self._record.news().label_sequence
                if not self._take_in_labels(loop):
                    assert loop.state.reason is not None
                    return loop.state.reason

    def _after_epoch(self, step: EpochDone, loop: RunLoop) -> None:
        self._record.epoch_done(step, loop.state.best_epoch)
        if step.epoch % loop.setup.settings.prediction_interval == 0 and loop.state.reason is None:
            with self._record.suspended():
                self._publish(loop)

    def _publish(self, loop: RunLoop) -> None:
        self._result.keep_better(loop)
        self._keeper.predict_open()

    def _finish(self, reason: str, loop: RunLoop | None) -> None:
        """Judge the best weights and record the end. Who has stopped a run sees that first, and the prediction then."""
        if loop is not None and reason == STOPPED:
            self._result.keep_better(loop)
        elif loop is not None:
            with self._record.suspended():
                self._publish(loop)
        with self._record.transaction(durable=True) as (db_session, run):
            if loop is None:
                message = f"{goes_on(db_session)}: this run was stopped before its first epoch."
            else:
                message = self._result.verdict(db_session, loop)
            self._record.finish(db_session, run, reason, message)
        if reason == STOPPED:
            self._keeper.predict_open()

    def _attend(self) -> None:
        """Attend to everything else between two batches, or two steps of reading labels.

        Raises:
            StoppingError: the service was told to stop.
            RunStoppedError: a person has stopped this run.
        """
        attendant = self._attendant
        if attendant.is_stopping():
            self._save()
            raise StoppingError
        attendant.tick_if_due()
        if attendant.has_news():
            if attendant.has_urgent_jobs():
                with self._record.suspended():
                    attendant.serve_urgent_jobs()
            news = self._record.news()
            self._label_sequence = news.label_sequence
            if news.stop_requested:
                raise RunStoppedError
        if time.monotonic() > self._saved_at + self._context.settings.run_save_interval_s:
            self._save()

    def _save(self) -> None:
        """Put the loop on the disk, after the epochs that it has done."""
        if self._loop is not None:
            self._record.flush()
            self._loop.save(self._run_id)
            self._saved_at = time.monotonic()

    def _take_in_labels(self, loop: RunLoop) -> bool:
        """Go on with the labels that have come since; False if there are none, or the run keeps to those it has."""
        setup = loop.setup
        if not setup.settings.follow_labels or self._label_sequence <= setup.label_sequence:
            return False
        with self._context.db.read() as db_session:
            self._context.training_set.sync(db_session)
            names = class_names(db_session)
        is_changed = loop.take_in(names)
        if is_changed:
            self._record.take_in(loop.segments)
        return is_changed
