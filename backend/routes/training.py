"""Full training runs."""

from __future__ import annotations

from fastapi import APIRouter, status

from backend.context import Context
from backend.schemas.training import TrainingOut
from backend.services import training

router = APIRouter(tags=["training"])


@router.get("/training")
def get_training(context: Context) -> TrainingOut:
    """The newest run."""
    return training.get_training(context)


@router.post("/training/start", status_code=status.HTTP_202_ACCEPTED)
def start_training(context: Context) -> TrainingOut:
    """Queue a full run; during a run, the next one follows it. 409 while nothing is labelled."""
    return training.start(context)


@router.post("/training/stop", status_code=status.HTTP_202_ACCEPTED)
def stop_training(context: Context) -> TrainingOut:
    """Ask the runs at work and in the queue to end; the best weights so far are kept."""
    return training.stop(context)
