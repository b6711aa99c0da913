"""Full training runs and checkpoints."""

from __future__ import annotations

from fastapi import APIRouter, status

from backend.context import Context
from backend.schemas.base import PathId
from backend.schemas.training import CheckpointDetails, CheckpointOut, TrainingOut
from backend.services import checkpoints, training

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


@router.get("/checkpoints")
def list_checkpoints(context: Context) -> list[CheckpointOut]:
    """Saved heads, newest first."""
    return checkpoints.list_all(context)


@router.get("/checkpoints/{checkpoint_id}")
def get_checkpoint(context: Context, checkpoint_id: PathId) -> CheckpointDetails:
    """One saved head and what is written beside it."""
    return checkpoints.get_details(context, checkpoint_id)


@router.post("/checkpoints/{checkpoint_id}/activate")
def activate_checkpoint(context: Context, checkpoint_id: PathId) -> CheckpointOut:
    """Predict with this head until the next annotation change or run."""
    return checkpoints.activate(context, checkpoint_id)
