"""One full run, from its QUEUED row to its end: drives the training loop, and gives way to clicks between batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from sqlalchemy.orm import Session

from db.models import CheckpointKind, Run, RunEpoch, RunState
from db.queries.checkpoints import activate, next_parent_id, save_checkpoint_row
from db.queries.jobs import finish_job, own_job
from db.queries.runs import record_epochs, transition
from db.queries.session_info import get_session_info, training_settings
from db.queries.training_data import class_names
from ml_service.checkpoint import save_checkpoint
from ml_service.checkpoint_description import checkpoint_path
from ml_service.checkpoint_files import remove_unnamed_files
from ml_service.context import Context
from ml_service.errors import StoppingError
from ml_service.head_keeper import HeadKeeper
from ml_service.heads.base import TorchHead
from ml_service.metrics import Quality, describe_quality
from ml_service.provenance import describe, row_facts
from ml_service.quality_figures import Figures
from ml_service.run_setup import RunSetup, figures, make_setup, quality, start_run_loop, to_tensors
from ml_service.training_loop import EpochDone, LoopState, train

FLUSH_INTERVAL_S = 0.25
"""Finished epochs are recorded together, as each commit costs more than a small epoch."""


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


class RunExecution:
    """Executes the run `run_id` for the TRAIN job `job_id`."""

    def __init__(self, context: Context, keeper: HeadKeeper, attendant: Attendant, run_id: int, job_id: int) -> None:
        self._context = context
        self._keeper = keeper
        self._attendant = attendant
        self._run_id = run_id
        self._job_id = job_id
        self._names: dict[int, str] = {}
        self._unrecorded: list[RunEpoch] = []
        self._flushed_at = time.monotonic()
        self._measured: tuple[int, Quality, Figures] | None = None
        self._checkpoint_epoch: int | None = None
        self._checkpoint_id: int | None = None

    def execute(self) -> None:
        """Train, predict now and then, keep the better head, and record the end.

        Raises:
            StoppingError: the service stops; the run is to start again later.
            JobLostError: another worker has the run now.
            LearningError, FeatureMismatchError: the run failed.
        """
        setup = self._prepare()
        state = start_run_loop(self._context, setup)
        reason = self._train(setup, state)
        with self._suspended(state):
            self._keep_better(setup, state)
            self._keeper.predict_open()
        with self._transaction() as (db_session, run):
            transition(
                db_session, run, RunState.FINISHED, reason=reason, message=self._verdict(db_session, setup, state)
            )
            finish_job(db_session, self._job_id, self._attendant.worker_id)

    def _prepare(self) -> RunSetup:
        self._keeper.ensure_current()
        with self._context.db.read() as db_session:
            self._context.training_set.sync(db_session)
            settings = training_settings(get_session_info(db_session))
            self._names = class_names(db_session)
        return make_setup(self._context, self._keeper.scalers.scaler, settings, self._names)

    def _train(self, setup: RunSetup, state: LoopState) -> str:
        """Run the loop to its end; returns the reason of the end."""
        context, settings = self._context, setup.settings
        steps = train(
            state,
            to_tensors(context, setup, setup.training),
            None if setup.held_out is None else to_tensors(context, setup, setup.held_out),
            context.parts.loss,
            max_epochs=settings.max_epochs,
            batch_size=context.parts.batch_size,
        )
        for step in steps:
            if isinstance(step, EpochDone):
                self._unrecorded.append(
                    RunEpoch(run_id=self._run_id, epoch=step.epoch, train_loss=step.train_loss, val_loss=step.val_loss)
                )
                if time.monotonic() > self._flushed_at + FLUSH_INTERVAL_S:
                    with self._transaction() as (db_session, run):
                        self._flush(db_session, run, state)
                if step.epoch % settings.prediction_interval == 0 and state.reason is None:
                    with self._suspended(state):
                        self._keep_better(setup, state)
                        self._keeper.predict_open()
            if self._is_stop_requested(state):
                return "stopped"
        assert state.reason is not None
        return state.reason

    def _is_stop_requested(self, state: LoopState) -> bool:
        """Attend to everything else between two batches; True if a person has stopped this run."""
        attendant = self._attendant
        if attendant.is_stopping():
            raise StoppingError
        attendant.tick_if_due()
        if not attendant.has_news():
            return False
        if attendant.has_urgent_jobs():
            with self._suspended(state):
                attendant.serve_urgent_jobs()
        with self._context.db.read() as db_session:
            run = db_session.get(Run, self._run_id)
            return run is not None and run.stop_requested

    @contextmanager
    def _suspended(self, state: LoopState) -> Iterator[None]:
        with self._transaction() as (db_session, run):
            self._flush(db_session, run, state)
            transition(db_session, run, RunState.SUSPENDED)
        yield
        with self._transaction() as (db_session, run):
            transition(db_session, run, RunState.RUNNING)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Session, Run]]:
        """One transaction on the run's row, which fails if the run is no longer ours."""
        with self._context.db.write() as db_session:
            own_job(db_session, self._job_id, self._attendant.worker_id)
            run = db_session.get_one(Run, self._run_id)
            yield db_session, run

    def _flush(self, db_session: Session, run: Run, state: LoopState) -> None:
        self._flushed_at = time.monotonic()
        run.best_epoch = state.best_epoch
        if self._unrecorded:
            record_epochs(db_session, run, self._unrecorded)
            self._unrecorded = []

    def _keep_better(self, setup: RunSetup, state: LoopState) -> None:
        """Save the best weights so far, and let them predict if they beat the live head on the held-out samples."""
        if state.best_epoch is None or state.best_epoch == self._checkpoint_epoch:
            return
        context = self._context
        path = checkpoint_path(f"run-{self._run_id}-epoch-{state.best_epoch}")
        metrics = self._metrics(setup, state)
        with context.db.read() as db_session:
            description = describe(
                context,
                db_session,
                setup.snapshot,
                kind=CheckpointKind.RUN,
                head_kind=setup.settings.head.value,
                class_ids=setup.class_ids,
                revisions=setup.revisions,
                label_sequence=setup.label_sequence,
                metrics=metrics,
                run_id=self._run_id,
                parent_id=next_parent_id(db_session, self._checkpoint_id),
                training=setup.settings,
            )
        save_checkpoint(context.session_dir, path, self._best_head(setup, state), description, setup.snapshot)
        with self._transaction() as (db_session, run):
            run.metrics = metrics
            row, replaced = save_checkpoint_row(
                db_session, CheckpointKind.RUN, path, metrics=metrics, run_id=self._run_id, **row_facts(description)
            )
            if self._is_winner(db_session, setup, state):
                activate(db_session, row.id)
            self._checkpoint_id, self._checkpoint_epoch = row.id, state.best_epoch
        if replaced is not None:
            remove_unnamed_files(context.db, context.session_dir, [replaced])

    def _is_winner(self, db_session: Session, setup: RunSetup, state: LoopState) -> bool:
        return _obstacle(db_session, setup, self._quality(setup, state)) is None

    def _best_head(self, setup: RunSetup, state: LoopState) -> TorchHead:
        context = self._context
        module = context.parts.make_module(
            setup.settings.head, context.parts.dim, len(setup.class_ids), torch.Generator()
        )
        module.load_state_dict(state.best_weights)
        return TorchHead(setup.scaler, module, unit_norm=context.parts.live_config.unit_norm)

    @torch.no_grad()
    def _quality(self, setup: RunSetup, state: LoopState) -> Quality | None:
        """Of the best weights so far, on the held-out samples."""
        if setup.held_out is None or state.best_epoch is None:
            return None
        if self._measured is None or self._measured[0] != state.best_epoch:
            module = self._best_head(setup, state).module
            logits = module(to_tensors(self._context, setup, setup.held_out).inputs).numpy()
            self._measured = (state.best_epoch, quality(setup, logits), figures(setup, logits))
        return self._measured[1]

    def _metrics(self, setup: RunSetup, state: LoopState) -> dict[str, Any]:
        held_out = self._quality(setup, state)
        details = None if held_out is None or self._measured is None else self._measured[2]
        return describe_quality(held_out, setup.n_train_images, details) | {
            "live": None if setup.live_quality is None else setup.live_quality.to_json(),
            "n_train_samples": len(setup.training),
        }

    def _verdict(self, db_session: Session, setup: RunSetup, state: LoopState) -> str:
        """Who predicts from now on, and why, for a person."""
        held_out = self._quality(setup, state)
        obstacle = "it has no finished epoch" if state.best_epoch is None else _obstacle(db_session, setup, held_out)
        if obstacle is not None:
            return f"The live head goes on predicting: {obstacle}."
        assert held_out is not None
        assert setup.live_quality is not None
        return (
            f"This run's head predicts now: loss {held_out.loss:.3f} on {held_out.n_images} validation images, "
            f"the live head {setup.live_quality.loss:.3f}."
        )


def _obstacle(db_session: Session, setup: RunSetup, held_out: Quality | None) -> str | None:
    """Why the run's head must not predict; None if it may."""
    if held_out is None or setup.live_quality is None:
        return "no validation image has a label yet, so the two cannot be compared"
    if setup.missing_class_ids:
        return "this run's head does not know every class: some are labelled on validation images only"
    if not held_out.loss < setup.live_quality.loss:
        return (
            f"its loss on {held_out.n_images} validation images is {setup.live_quality.loss:.3f}, "
            f"this run's {held_out.loss:.3f}"
        )
    if held_out.accuracy < setup.live_quality.accuracy:
        return (
            f"its accuracy on {held_out.n_images} validation images is {setup.live_quality.accuracy:.3f}, "
            f"this run's {held_out.accuracy:.3f}"
        )
    if get_session_info(db_session).label_sequence != setup.label_sequence:
        return "it has learned from labels that are newer than this run"
    return None
