"""One fine-tuning run, from its QUEUED row to its end: another process works, this one attends to people."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Protocol

from db.queries.adoption import image_paths
from db.queries.session_info import get_session_info, training_settings
from db.tables.learning import Run
from ml_service import training_loop
from ml_service.context import Context
from ml_service.data_snapshot import DataSnapshot, save_snapshot
from ml_service.errors import FinetuneError, StoppingError
from ml_service.finetuning.availability import why_not
from ml_service.finetuning.child import Child
from ml_service.finetuning.events import Ended, EpochDone, Event, Look, PicturesDone
from ml_service.finetuning.plan import Plan, make_plan
from ml_service.finetuning.result import (
    metrics_of,
    obstacle,
    read_outcome,
    record_adapter,
    save_adapter,
    verdict,
    weights_of,
)
from ml_service.head_keeper import HeadKeeper
from ml_service.run_record import RunRecord
from ml_service.session_leftovers import WORK_FOLDER
from models.base import ExtractorInfo

PROGRESS_INTERVAL_S = 0.5


class IdleAttendant(Protocol):
    """The worker, as far as a run in another process needs it."""

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

    def work_idly(self, *, has_ticked: bool, has_news: bool) -> bool:
        """What a service does while nothing is urgent: predict other images; False if there is nothing."""
        ...


class FinetuneExecution:
    """Executes the fine-tuning run `run_id` for the TRAIN job `job_id`."""

    def __init__(
        self, context: Context, keeper: HeadKeeper, attendant: IdleAttendant, run_id: int, job_id: int
    ) -> None:
        self._context = context
        self._keeper = keeper
        self._attendant = attendant
        self._run_id = run_id
        self._record = RunRecord(context.db, run_id, job_id, attendant.worker_id)
        self._folder = context.session_dir / WORK_FOLDER / f"run-{run_id}"
        self._best_epoch = 0
        self._told_at = -float("inf")

    def execute(self) -> None:
        """Learn, keep the best adapter, compare, and record the end.

        Raises:
            StoppingError: the service stops; the run goes on after its last whole epoch later.
            JobLostError: another worker has the run now.
            LearningError, FeatureMismatchError: the run failed.
        """
        plan = self._plan()
        with self._start() as child:
            reason = self._follow(child)
        self._finish(reason, plan)
        # What a failed run leaves goes when a later one begins: its end is not recorded yet.
        shutil.rmtree(self._folder, ignore_errors=True)

    def _plan(self) -> Plan:
        """The plan that a stopped service has left, or one of the labels as they are now."""
        reason = why_not(self._context.extractor)
        if reason is not None:
            raise FinetuneError(reason)
        plan = _kept_plan(self._folder, self._context.extractor)
        if plan is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            plan = self._new_plan()
            plan.write(self._folder)
        self._record.begin(0, ())
        return plan

    def _new_plan(self) -> Plan:
        context = self._context
        self._keeper.ensure_current()
        with context.db.read() as db_session:
            context.training_set.sync(db_session)
            info = get_session_info(db_session)
            settings = training_settings(info)
            images = context.training_set.images
            paths = image_paths(db_session, [samples.image.id for samples in images])
        root = context.session_dir / info.image_root
        snapshot = DataSnapshot.of(samples.image for samples in images)
        save_snapshot(self._folder, snapshot)
        return make_plan(
            images,
            context.training_set.class_ids,
            context.parts,
            settings,
            task=context.task.name,
            extractor=context.extractor,
            weights=weights_of(context, info.config),
            paths={image_id: root / path for image_id, path in paths.items()},
            seed=context.settings.seed,
            least_held_out=context.settings.run_least_images,
            facts={
                "dataset_hash": snapshot.hash,
                "revisions": context.training_set.revisions,
                "label_sequence": context.training_set.sequence,
            },
        )

    def _start(self) -> Child:
        settings = self._context.settings
        threads = settings.finetune_threads or os.cpu_count() or 1
        return Child(self._folder, threads=threads, niceness=settings.finetune_niceness)

    def _follow(self, child: Child) -> str:
        """Until it ends; returns the reason of the end."""
        while True:
            event = child.next_event(self._context.settings.poll_interval_s)
            if event is not None:
                self._note(event)
            if isinstance(event, Ended):
                return event.reason
            if self._is_stopped(child):
                return "stopped"

    def _is_stopped(self, child: Child) -> bool:
        """Attend to everything else; True if a person has stopped this run."""
        attendant = self._attendant
        if attendant.is_stopping():
            raise StoppingError
        has_ticked, has_news = attendant.tick_if_due(), attendant.has_news()
        if has_news:
            if attendant.has_urgent_jobs():
                self._make_way(child)
            if self._record.news().stop_requested:
                return True
        attendant.work_idly(has_ticked=has_ticked, has_news=has_news)
        return False

    def _make_way(self, child: Child) -> None:
        child.hold()
        try:
            with self._record.suspended():
                self._attendant.serve_urgent_jobs()
        finally:
            child.go_on()

    def _note(self, event: Event) -> None:
        if isinstance(event, EpochDone):
            if event.is_best:
                self._best_epoch = event.epoch
            step = training_loop.EpochDone(event.epoch, event.train_loss, event.val_loss, event.is_best)
            self._record.epoch_done(step, self._best_epoch or None)
        elif isinstance(event, Look | PicturesDone) and time.monotonic() > self._told_at + PROGRESS_INTERVAL_S:
            self._told_at = time.monotonic()
            with self._record.transaction() as (_db_session, run):
                _tell_progress(run, event)

    def _finish(self, reason: str, plan: Plan) -> None:
        least_images = self._context.settings.run_least_images
        outcome = read_outcome(self._folder, is_refitted=reason != "stopped", least_images=least_images)
        saved = None
        if outcome is not None and obstacle(outcome) is None:
            with self._context.db.read() as db_session:
                saved = save_adapter(self._context, db_session, plan, outcome, self._run_id, self._folder)
        with self._record.transaction(durable=True) as (db_session, run):
            run.metrics = metrics_of(outcome, plan)
            if saved is not None and outcome is not None:
                record_adapter(db_session, run, plan, outcome, *saved)
            self._record.finish(db_session, run, reason, verdict(outcome))


def _tell_progress(run: Run, event: Look | PicturesDone) -> None:
    if isinstance(event, Look):
        which = "frozen features, to compare with" if event.stage == "frozen" else "features of the best epoch"
        run.message = f"Computing the {which}: image {event.done} of {event.total}."
        progress = {"stage": event.stage, "done": event.done, "total": event.total}
    else:
        run.message = f"Epoch {event.epoch}: image {event.done} of {event.total}."
        progress = {"stage": "learning", "epoch": event.epoch, "done": event.done, "total": event.total}
    run.metrics = {**run.metrics, "progress": progress}


def _kept_plan(folder: Path, extractor: ExtractorInfo) -> Plan | None:
    """What can be gone on with; None where there is nothing, or the session has another extractor now."""
    try:
        plan = Plan.read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return plan if plan.extractor == extractor else None
