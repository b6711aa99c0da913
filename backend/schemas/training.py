"""Full training runs."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

from pydantic import Field

from backend.schemas.base import RequestModel, ResponseModel
from db.enums import RunKind


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
    """One run, with its losses."""

    state: TrainingState
    run_id: int | None
    kind: RunKind = Field(description="whether it trains a head, or fine-tunes the extractor")
    epoch: int = Field(description="epochs done")
    best_epoch: int | None
    train_loss: list[float] = Field(description="one a epoch; empty for an old run without a checkpoint")
    val_loss: list[float | None] = Field(
        description="held-out loss, one a epoch; null while too few images are labelled for a split"
    )
    metrics: dict[str, Any] = Field(description="held-out quality and the like, as the run recorded it")
    message: str = Field(description="for a person")
    reason: str | None = Field(description="why it finished: early_stop, max_epochs, stopped, superseded")
    stop_requested: bool


class RunOut(ResponseModel):
    """One run of the list."""

    id: int
    kind: RunKind
    state: TrainingState
    reason: str | None = Field(description="why it finished: early_stop, max_epochs, stopped, superseded")
    message: str = Field(description="for a person")
    epoch: int = Field(description="epochs done")
    best_epoch: int | None
    held_out: dict[str, Any] | None = Field(description="quality of its best head on validation images")
    live: dict[str, Any] | None = Field(
        description="that of a live head of the same training labels, on the same images"
    )
    segments: list[dict[str, Any]] = Field(
        description="what it learned from, one after the other: labels that came while it was at work begin a new one"
    )
    checkpoint_id: int | None = Field(description="its saved head; null where it has none, or it was removed")
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class RunPage(ResponseModel):
    """Runs, newest first."""

    items: list[RunOut]
    next_cursor: int | None = Field(description="pass as `cursor` for the next page; null on the last one")
    total: int
