"""Full training runs and the checkpoints they leave."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

from pydantic import Field

from backend.schemas.base import ResponseModel
from db.models import CheckpointKind


class TrainingState(StrEnum):
    """State of the newest run; IDLE before the first one."""

    IDLE = "IDLE"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class TrainingOut(ResponseModel):
    """The newest run."""

    state: TrainingState
    run_id: int | None
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


class CheckpointOut(ResponseModel):
    """A saved head."""

    id: int
    kind: CheckpointKind
    active: bool
    head_version: int
    parent_id: int | None
    run_id: int | None
    metrics: dict[str, Any]
    created_at: dt.datetime


class CheckpointDetails(CheckpointOut):
    """A saved head and what is written beside it."""

    description: dict[str, Any] = Field(
        description="head configuration, classes, extractor, hash of the data set, metrics; empty if the file is gone"
    )
    size_bytes: int | None = Field(description="of the weights file; null if it is gone")
