"""The live head, saved in idle time together with its held-out quality."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from db.enums import CheckpointKind
from db.queries.checkpoint_removal import prune_live_checkpoints
from db.queries.checkpoints import newest_checkpoint_id, save_checkpoint_row
from ml_service.checkpoint import save_checkpoint
from ml_service.checkpoint_description import new_checkpoint_path
from ml_service.checkpoint_files import remove_unnamed_files
from ml_service.context import Context
from ml_service.data_loaders.base import ImageSamples
from ml_service.data_snapshot import DataSnapshot
from ml_service.low_priority import give_way
from ml_service.metrics import Quality, describe_quality
from ml_service.predictors.base import Model
from ml_service.provenance import describe, row_facts
from ml_service.task_factory import LIVE_KIND

SAVE_STEP_S = 0.005
"""Between two looks for a click while a head is saved beside."""


class LiveSaver:
    """Saves live heads in a thread of its own: packing and waiting for the disk take longer than a click may wait."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # Rare, and mostly waits for the disk; packing labels would take turns with a click at the interpreter's lock.
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="live-checkpoint", initializer=give_way)
        self._saving: Future[None] | None = None
        self.unsaved_since: float | None = None
        """`time.monotonic` when the head that this service has published last was; None if it is saved or gone."""

    def save_if_due(self, model: Model | None, held_out: Quality | None) -> bool:
        """Save the live head, if there is one, once it has rested for a while; True while that goes on."""
        if self._wait(SAVE_STEP_S):
            return True
        delay_s = self._context.settings.live_checkpoint_delay_s
        if self.unsaved_since is None or time.monotonic() < self.unsaved_since + delay_s:
            return False
        self.unsaved_since = None
        if model is None:
            return False
        self._begin(model, held_out)
        return True

    def _begin(self, model: Model, held_out: Quality | None) -> None:
        training_set = self._context.training_set
        labels = (training_set.images, training_set.sequence)
        self._saving = self._helper.submit(save_live_checkpoint, self._context, model, held_out, *labels)

    def _wait(self, timeout_s: float) -> bool:
        """Whether a head is being saved, after a wait for its end; raises what went wrong with it."""
        if self._saving is None:
            return False
        if wait([self._saving], timeout_s).done:
            saved, self._saving = self._saving, None
            saved.result()
        return True

    def close(self) -> None:
        """Let what is being saved come to its end."""
        self._helper.shutdown(wait=True)


def save_live_checkpoint(
    context: Context, model: Model, held_out: Quality | None, images: Sequence[ImageSamples], label_sequence: int
) -> None:
    """Save the live head, and remove the oldest. Reads nothing of the context that changes.

    Args:
        images: That the head was fitted on, with the labels up to `label_sequence`.
        held_out: Quality of a second head on the validation images: it learned from the training images alone, the one
            that is saved from all.
    """
    n_val = 0 if held_out is None else held_out.n_images
    metrics = describe_quality(held_out, len(images) - n_val)
    path = new_checkpoint_path(f"live-{model.version}")
    snapshot = DataSnapshot.of(samples.image for samples in images)
    with context.db.read() as db_session:
        description = describe(
            context,
            db_session,
            snapshot,
            kind=CheckpointKind.LIVE,
            head_kind=LIVE_KIND,
            class_ids=model.class_ids,
            revisions=model.revisions,
            label_sequence=label_sequence,
            metrics=metrics,
            parent_id=newest_checkpoint_id(db_session),
        )
    save_checkpoint(context.session_dir, path, model.head, description, snapshot)
    with context.db.write(durable=True) as db_session:
        save_checkpoint_row(db_session, CheckpointKind.LIVE, path, metrics=metrics, **row_facts(description))
        surplus = prune_live_checkpoints(db_session, context.settings.live_checkpoints_kept)
    remove_unnamed_files(context.db, context.session_dir, surplus)
