"""What a run has come to: its best head, measured against the live head, saved, and put in force where it is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sqlalchemy.orm import Session

from db.enums import CheckpointKind
from db.queries.checkpoints import activate, active_checkpoint, next_parent_id, release, save_checkpoint_row
from db.queries.session_info import get_session_info
from ml_service.checkpoint import save_checkpoint
from ml_service.checkpoint_description import new_checkpoint_path
from ml_service.checkpoint_files import remove_unnamed_files
from ml_service.confidence_intervals import doubt
from ml_service.context import Context
from ml_service.heads.base import TorchHead, soften
from ml_service.metrics import Quality, describe_quality
from ml_service.provenance import describe, row_facts
from ml_service.quality_figures import Figures
from ml_service.run_loop import RunLoop
from ml_service.run_record import RunRecord
from ml_service.run_setup import RunSetup, figures, gain_over_live, held_out_temperature, quality
from ml_service.training_loop import LoopState


@dataclass(frozen=True)
class _Measured:
    label_sequence: int
    epoch: int
    quality: Quality
    figures: Figures
    gain: tuple[float, float | None]
    """In loss, over the live head, and its standard error over images."""
    temperature: float
    """By which the logits of the weights were divided, before anything was measured."""


class RunResult:
    """The best head of one run so far."""

    def __init__(self, context: Context, record: RunRecord) -> None:
        self._context = context
        self._record = record
        self._measured: _Measured | None = None
        self._kept: tuple[int, int | None] | None = None
        self._checkpoint_id: int | None = None

    def keep_better(self, loop: RunLoop) -> None:
        """Save the best weights so far, and let them predict if they beat the live head on the held-out samples."""
        setup, state = loop.setup, loop.state
        now = (setup.label_sequence, state.best_epoch)
        if state.best_epoch is None or now == self._kept:
            return
        context, run_id = self._context, self._record.run_id
        path = new_checkpoint_path(f"run-{run_id}-labels-{setup.label_sequence}-epoch-{state.best_epoch}")
        metrics = self._metrics(loop)
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
                run_id=run_id,
                parent_id=next_parent_id(db_session, self._checkpoint_id),
                training=setup.settings,
            )
        measured = self._measure(loop)
        head = self._best_head(setup, state, 1.0 if measured is None else measured.temperature)
        save_checkpoint(context.session_dir, path, head, description, setup.snapshot)
        with self._record.transaction(durable=True) as (db_session, run):
            run.metrics = metrics
            row, replaced = save_checkpoint_row(
                db_session, CheckpointKind.RUN, path, metrics=metrics, run_id=run_id, **row_facts(description)
            )
            if self._obstacle(db_session, loop) is None:
                activate(db_session, row.id)
            elif row.active:
                # The same row, but other weights now, which must not predict.
                release(db_session)
            self._checkpoint_id, self._kept = row.id, now
        if replaced is not None:
            remove_unnamed_files(context.db, context.session_dir, [replaced])

    def verdict(self, db_session: Session, loop: RunLoop) -> str:
        """Who predicts from now on, and why, for a person."""
        obstacle = self._obstacle(db_session, loop)
        if obstacle is not None:
            return f"{goes_on(db_session)}: {obstacle}."
        active = active_checkpoint(db_session)
        if active is None or active.id != self._checkpoint_id:
            return "This run's head was better than the live head, and gave way to another one that was chosen since."
        measured, live = self._measure(loop), loop.setup.live_quality
        assert measured is not None
        assert live is not None
        held_out, (gain, error) = measured.quality, measured.gain
        chance = "" if error is None else f" (better by {gain:.3f}, standard error {error:.3f})"
        return (
            f"This run's head predicts now: loss {held_out.loss:.3f} on {held_out.n_images} validation images, "
            f"the live head {live.loss:.3f}{chance}. Its epoch was chosen on the same images, so its figures lean high."
        )

    def _obstacle(self, db_session: Session, loop: RunLoop) -> str | None:
        """Why the run's head must not predict; None if it may."""
        if loop.state.best_epoch is None:
            return "this run has no finished epoch on the newest labels"
        least_images = self._context.settings.run_least_images
        return _obstacle(db_session, loop.setup, self._measure(loop), least_images)

    def _best_head(self, setup: RunSetup, state: LoopState, temperature: float = 1.0) -> TorchHead:
        parts = self._context.parts
        module = parts.new_module(setup.settings.head, setup.class_ids, torch.Generator())
        module.load_state_dict(state.best_weights)
        if temperature != 1.0:
            soften(module, temperature)
        return TorchHead(setup.scaler, module, unit_norm=parts.live_config.unit_norm)

    @torch.no_grad()
    def _measure(self, loop: RunLoop) -> _Measured | None:
        """Of the best weights so far, on the held-out samples."""
        setup, state = loop.setup, loop.state
        if loop.held_out is None or state.best_epoch is None:
            return None
        known = self._measured
        if known is None or (known.label_sequence, known.epoch) != (setup.label_sequence, state.best_epoch):
            module = self._best_head(setup, state).module
            logits = module(loop.held_out.inputs).numpy()
            temperature = held_out_temperature(setup, logits) if setup.output.one_class else 1.0
            logits = logits / np.float32(temperature)
            known = _Measured(
                setup.label_sequence,
                state.best_epoch,
                quality(setup, logits),
                figures(setup, logits),
                gain_over_live(setup, logits),
                temperature,
            )
            self._measured = known
        return known

    def _metrics(self, loop: RunLoop) -> dict[str, Any]:
        setup = loop.setup
        measured = self._measure(loop)
        described = (
            describe_quality(None, setup.n_train_images)
            if measured is None
            else describe_quality(measured.quality, setup.n_train_images, measured.figures)
        )
        return described | {
            "live": None if setup.live_quality is None else setup.live_quality.to_json(),
            "n_train_samples": len(setup.training),
            "selected_on_these": measured is not None,
            "temperature": None if measured is None else measured.temperature,
            "segments": list(loop.segments),
        }


def goes_on(db_session: Session) -> str:
    """Who predicts where a run has changed nothing, for a person."""
    active = active_checkpoint(db_session)
    if active is None:
        return "The live head goes on predicting"
    return f"{active.name or f'Checkpoint {active.id}'} goes on predicting until the next label changes"


def _obstacle(db_session: Session, setup: RunSetup, measured: _Measured | None, least_images: int) -> str | None:
    if measured is None or setup.live_quality is None:
        return "no validation image has a label yet, so the two cannot be compared"
    held_out, (gain, error) = measured.quality, measured.gain
    if setup.missing_class_ids:
        return "this run's head does not know every class: some are labelled on validation images only"
    live = setup.live_quality
    if not held_out.loss < live.loss:
        return (
            f"the live head's loss on {held_out.n_images} held-out images, each label alike, is {live.loss:.3f}, "
            f"this run's {held_out.loss:.3f}"
        )
    why_not = doubt(gain, error, held_out.n_images, least_images)
    if why_not is not None:
        return (
            f"this run's loss on {held_out.n_images} held-out images, each label alike, is {held_out.loss:.3f}, "
            f"the live head's {live.loss:.3f}, but {why_not}"
        )
    if held_out.accuracy < live.accuracy:
        return (
            f"the live head's accuracy on {held_out.n_images} held-out images is {live.accuracy:.3f}, "
            f"this run's {held_out.accuracy:.3f}"
        )
    if get_session_info(db_session).label_sequence != setup.label_sequence:
        return "some labels are newer than this run"
    return None
