"""The live head, saved in idle time together with its held-out quality."""

from __future__ import annotations

from db.models import CheckpointKind
from db.queries.checkpoints import newest_checkpoint_id, prune_live_checkpoints, save_checkpoint_row
from ml_service.checkpoint import save_checkpoint
from ml_service.checkpoint_description import new_checkpoint_path
from ml_service.checkpoint_files import remove_unnamed_files
from ml_service.context import Context
from ml_service.data_snapshot import DataSnapshot
from ml_service.metrics import Quality, describe_quality
from ml_service.predictors.base import Model
from ml_service.provenance import describe, row_facts
from ml_service.task_factory import LIVE_KIND


def save_live_checkpoint(context: Context, model: Model, held_out: Quality | None) -> None:
    """Save the live head, and remove the oldest.

    Args:
        held_out: Quality of a second head on the validation images: it learned from the training images alone, the one
            that is saved from all.
    """
    training_set = context.training_set
    n_val = 0 if held_out is None else held_out.n_images
    metrics = describe_quality(held_out, len(training_set.images) - n_val)
    path = new_checkpoint_path(f"live-{model.version}")
    snapshot = DataSnapshot.of(samples.image for samples in training_set.images)
    with context.db.read() as db_session:
        description = describe(
            context,
            db_session,
            snapshot,
            kind=CheckpointKind.LIVE,
            head_kind=LIVE_KIND,
            class_ids=model.class_ids,
            revisions=model.revisions,
            label_sequence=training_set.sequence,
            metrics=metrics,
            parent_id=newest_checkpoint_id(db_session),
        )
    save_checkpoint(context.session_dir, path, model.head, description, snapshot)
    with context.db.write(durable=True) as db_session:
        save_checkpoint_row(db_session, CheckpointKind.LIVE, path, metrics=metrics, **row_facts(description))
        surplus = prune_live_checkpoints(db_session, context.settings.live_checkpoints_kept)
    remove_unnamed_files(context.db, context.session_dir, surplus)
