"""Full training runs."""

from __future__ import annotations

from fastapi import APIRouter, status

from backend.context import Context
from backend.schemas.training import StartTraining, TrainingOut
from backend.services import training
from db.models import RunKind

router = APIRouter(tags=["training"])


@router.get("/training")
def get_training(context: Context) -> TrainingOut:
    """The newest run."""
    return training.get_training(context)


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
