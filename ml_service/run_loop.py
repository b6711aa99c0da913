"""The training loop of a run with the samples that it goes over: begun, gone on with, fitted to other labels."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from db.queries.session_info import TrainingSettings
from ml_service.context import Context
from ml_service.heads.scaler import FeatureScaler
from ml_service.label_change import carry_over
from ml_service.loop_files import SavedRun, save_loop
from ml_service.run_setup import RunInputs, RunSetup, labels_now, make_setup, start_run_loop, to_tensors
from ml_service.training_loop import LoopState, Step, Tensors, bounded_batch_size, train

logger = logging.getLogger(__name__)
Segment = dict[str, Any]
"""What a run has learned from, from one epoch on; one of several where labels came while it was at work."""


class RunLoop:
    """A loop and its samples. `take_in` and `carry_over` replace both."""

    def __init__(self, context: Context, inputs: RunInputs, setup: RunSetup, state: LoopState) -> None:
        self._context = context
        self._inputs = inputs
        self.segments: tuple[Segment, ...] = ()
        self.setup: RunSetup = setup
        self.state: LoopState = state
        self._set(setup, state, *self._tensors(setup))

    def steps(self) -> Iterator[Step]:
        """Train on the samples there are, from where the state is."""
        return train(
            self.state,
            self._training,
            self.held_out,
            self._context.parts.loss,
            max_epochs=self.setup.settings.max_epochs,
            batch_size=self._batch_size,
        )

    def take_in(self, names: dict[int, str]) -> bool:
        """Go on with the labels as they are now; False if nothing has changed that a run learns from.

        Args:
            names: of the classes, for messages.

        Raises:
            NothingToLearnError, FeatureMismatchError: as in `make_setup`.
        """
        old = self.setup
        new = make_setup(self._context, old.scaler, old.settings, names, self._inputs, labels_now(self._context))
        if new.is_equal_to(old):
            self.setup = new
            return False
        self.carry_over(new, self.state, old.class_ids)
        return True

    def carry_over(self, setup: RunSetup, state: LoopState, class_ids: tuple[int, ...]) -> None:
        """Go on with the samples of `setup` from a `state` whose outputs are `class_ids`."""
        parts = self._context.parts
        rows = [class_ids.index(class_id) if class_id in class_ids else None for class_id in setup.class_ids]
        module = parts.new_module(setup.settings.head, setup.class_ids, torch.Generator())
        training, held_out = self._tensors(setup)
        batch_size = bounded_batch_size(parts.batch_size, training.inputs)
        carried = carry_over(state, module, rows, training, held_out, parts.loss, batch_size)
        self._set(setup, carried, training, held_out)

    def save(self, run_id: int) -> None:
        """Put it on the disk, for a service that goes on with it after this one."""
        setup = self.setup
        save_loop(
            self._context.session_dir,
            run_id,
            self.state,
            settings=setup.settings,
            extractor=self._context.extractor.to_json(),
            scaler=setup.scaler,
            class_ids=setup.class_ids,
            dataset_hash=setup.snapshot.hash,
            segments=self.segments,
        )

    def _tensors(self, setup: RunSetup) -> tuple[Tensors, Tensors | None]:
        context, pause = self._context, self._inputs.pause
        training = to_tensors(context, setup, setup.training, pause)
        return training, None if setup.held_out is None else to_tensors(context, setup, setup.held_out, pause)

    def _set(self, setup: RunSetup, state: LoopState, training: Tensors, held_out: Tensors | None) -> None:
        self.setup, self.state = setup, state
        self._training, self.held_out = training, held_out
        self._batch_size = bounded_batch_size(self._context.parts.batch_size, training.inputs)
        self.segments = (*self.segments, _segment(setup, state.epoch))


def begin_loop(
    context: Context, inputs: RunInputs, scaler: FeatureScaler | None, settings: TrainingSettings, names: dict[int, str]
) -> RunLoop:
    """A run from its first epoch, on the labels as they are now.

    Raises:
        NothingToLearnError, FeatureMismatchError: as in `make_setup`.
    """
    setup = make_setup(context, scaler, settings, names, inputs, labels_now(context))
    return RunLoop(context, inputs, setup, start_run_loop(context, setup))


def resume_loop(context: Context, inputs: RunInputs, saved: SavedRun, names: dict[int, str]) -> RunLoop | None:
    """The run that a stopped service has left, on the labels as they are now; None if it must begin anew.

    That is where its state does not fit, where it keeps to labels that have changed meanwhile, or where the session has
    another extractor since.

    Raises:
        NothingToLearnError, FeatureMismatchError: as in `make_setup`.
    """
    if saved.extractor != json.loads(json.dumps(context.extractor.to_json())):
        return None
    setup = make_setup(context, saved.scaler, saved.settings, names, inputs, labels_now(context))
    is_changed = (setup.snapshot.hash, setup.class_ids) != (saved.dataset_hash, saved.class_ids)
    if is_changed and not saved.settings.follow_labels:
        return None
    state = start_run_loop(context, replace(setup, class_ids=saved.class_ids))
    try:
        saved.restore(state)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        logger.warning("a run starts from the beginning, as its saved state does not fit: %s", error)
        return None
    loop = RunLoop(context, inputs, setup, start_run_loop(context, setup))
    loop.segments = saved.segments
    if is_changed:
        loop.carry_over(setup, state, saved.class_ids)
    else:
        loop.state = state
    return loop


def _segment(setup: RunSetup, epoch: int) -> Segment:
    return {
        "after_epoch": epoch,
        "label_sequence": setup.label_sequence,
        "dataset_hash": setup.snapshot.hash,
        "class_ids": list(setup.class_ids),
        "n_train_images": setup.n_train_images,
        "n_train_samples": len(setup.training),
        "n_val_samples": 0 if setup.held_out is None else len(setup.held_out),
    }
