"""Full training runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from backend.schemas.base import RequestModel, ResponseModel
from db.models import RunKind


class TrainingState(StrEnum):
    """State of the newest run; IDLE before the first one."""

    IDLE = "IDLE"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class StartTraining(RequestModel):
    """What is to be trained."""

    kind: RunKind = RunKind.HEAD


class TrainingOut(ResponseModel):
    """The newest run."""

    state: TrainingState
    run_id: int | None
    kind: RunKind = Field(description="whether it trains a head, or fine-tunes the extractor")
    epoch: int = Field(description="epochs done")
    best_epoch: int | None
    train_loss: list[float] = Field(description="one a epoch")
    val_loss: list[float | None] = Field(
        description="held-out loss, one a epoch; null while too few images are labelled for a split"
    )
    metrics: dict[str, Any] = Field(description="held-out quality and the like, as the run recorded it")
    message: str = Field(description="for a person")
    reason: str | None = Field(description="why it finished: early_stop, max_epochs, stopped, superseded")
    stop_requested: bool
