"""Full training runs: what Save starts and Stop Training ends."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.training import RunOut, RunPage, TrainingOut, TrainingState
from backend.services.plain_text import without_folders
from db.enums import RunKind
from db.errors import ConflictError
from db.queries.runs import (
    checkpoints_of_runs,
    count_runs,
    current_run,
    get_run,
    newest_runs,
    request_run,
    request_stop,
    run_epochs,
)
from db.queries.session_info import get_session_info
from db.queries.stats import count_annotations
from db.queries.training_data import last_annotated_image_id
from db.tables.learning import Run
from ml_service.finetuning.availability import why_not
from models.base import ExtractorInfo


def get_training(context: AppContext, run_id: int | None) -> TrainingOut:
    """One run; without an id the run at work, else the newest.

    Raises:
        NotFoundError: there is no run with this id.
    """
    with context.database.read() as db_session:
        return _describe(db_session) if run_id is None else _describe_run(db_session, get_run(db_session, run_id))


def list_runs(context: AppContext, *, cursor: int | None, limit: int) -> RunPage:
    """Runs with an id below `cursor`, newest first."""
    with context.database.read() as db_session:
        runs = newest_runs(db_session, below=cursor, limit=limit + 1)
        checkpoint_ids = checkpoints_of_runs(db_session, [run.id for run in runs[:limit]])
        return RunPage(
            items=[_list_entry(run, checkpoint_ids.get(run.id)) for run in runs[:limit]],
            next_cursor=runs[limit - 1].id if len(runs) > limit else None,
            total=count_runs(db_session),
        )


def start(context: AppContext, kind: RunKind) -> TrainingOut:
    """Queue a run.

    Raises:
        ConflictError: there is nothing to learn from, or the extractor cannot be fine-tuned.
    """
    with context.database.write() as db_session:
        if count_annotations(db_session) == 0:
            raise ConflictError("nothing is labelled yet: label some images, then start the training")
        extractor = ExtractorInfo.from_json(get_session_info(db_session).extractor)
        reason = why_not(extractor) if kind is RunKind.FINETUNE else None
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
    return _describe_run(db_session, run)


def _describe_run(db_session: Session, run: Run) -> TrainingOut:
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


def _list_entry(run: Run, checkpoint_id: int | None) -> RunOut:
    return RunOut(
        id=run.id,
        kind=run.kind,
        state=TrainingState(run.state.value),
        reason=run.reason,
        message=without_folders(run.message),
        epoch=run.epoch,
        best_epoch=run.best_epoch,
        held_out=run.metrics.get("held_out"),
        live=run.metrics.get("live"),
        segments=run.metrics.get("segments", []),
        checkpoint_id=checkpoint_id,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
