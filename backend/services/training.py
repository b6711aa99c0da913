"""Full training runs: what Save starts and Stop Training ends."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.training import TrainingOut, TrainingState
from backend.services.plain_text import without_folders
from db.errors import ConflictError
from db.models import RunKind
from db.queries.runs import current_run, request_run, request_stop, run_epochs
from db.queries.stats import count_annotations
from db.queries.training_data import last_annotated_image_id
from ml_service.finetuning.availability import why_not


def get_training(context: AppContext) -> TrainingOut:
    """The run at work, else the newest."""
    with context.database.read() as db_session:
        return _describe(db_session)


def start(context: AppContext, kind: RunKind) -> TrainingOut:
    """Queue a run.

    Raises:
        ConflictError: there is nothing to learn from, or the extractor cannot be fine-tuned.
    """
    with context.database.write() as db_session:
        if count_annotations(db_session) == 0:
            raise ConflictError("nothing is labelled yet: label some images, then start the training")
        reason = why_not(context.config.extractor) if kind is RunKind.FINETUNE else None
        if reason is not None:
            raise ConflictError(reason)
        request_run(db_session, last_annotated_image_id(db_session), kind)
        db_session.flush()
        return _describe(db_session)


def stop(context: AppContext) -> TrainingOut:
    """Stop what runs and what waits; nothing to stop is no error."""
    with context.database.write() as db_session:
        request_stop(db_session)
        db_session.flush()
        return _describe(db_session)


def _describe(db_session: Session) -> TrainingOut:
    run = current_run(db_session)
    if run is None:
        return TrainingOut(
            state=TrainingState.IDLE,
            run_id=None,
            kind=RunKind.HEAD,
            epoch=0,
            best_epoch=None,
            train_loss=[],
            val_loss=[],
            metrics={},
            message="No training has been started yet.",
            reason=None,
            stop_requested=False,
        )
    epochs = run_epochs(db_session, run.id)
    return TrainingOut(
        state=TrainingState(run.state.value),
        run_id=run.id,
        kind=run.kind,
        epoch=run.epoch,
        best_epoch=run.best_epoch,
        train_loss=[epoch.train_loss for epoch in epochs],
        val_loss=[epoch.val_loss for epoch in epochs],
        metrics=run.metrics,
        message=without_folders(run.message),
        reason=run.reason,
        stop_requested=run.stop_requested,
    )
