"""Full training runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from backend.context import Context
from backend.schemas.base import QueryId
from backend.schemas.training import RunPage, StartTraining, TrainingOut
from backend.services import training
from db.enums import RunKind

router = APIRouter(tags=["training"])


@router.get("/training")
def get_training(
    context: Context, run_id: Annotated[QueryId, Query(description="left out: the run at work, else the newest")] = None
) -> TrainingOut:
    """One run with its losses, and how it stands."""
    return training.get_training(context, run_id)


@router.get("/runs")
def list_runs(
    context: Context,
    cursor: Annotated[QueryId, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunPage:
    """All runs that ever were asked for, newest first."""
    return training.list_runs(context, cursor=cursor, limit=limit)


@router.post("/training/start", status_code=status.HTTP_202_ACCEPTED)
def start_training(context: Context, wanted: StartTraining | None = None) -> TrainingOut:
    """Queue a full run; during a run, the next one follows it. Without a body, a run that trains a head.

    409 while nothing is labelled, and where the extractor cannot be fine-tuned.
    """
    return training.start(context, RunKind.HEAD if wanted is None else wanted.kind)


@router.post("/training/stop", status_code=status.HTTP_202_ACCEPTED)
def stop_training(context: Context) -> TrainingOut:
    """Ask the runs at work and in the queue to end; the best weights so far are kept."""
    return training.stop(context)
