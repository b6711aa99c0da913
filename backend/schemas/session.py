"""Health and configuration of a session."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from backend.schemas.base import RequestModel, ResponseModel
from backend.schemas.classes import LabelClassOut
from db.queries.session_info import AdaptedPart, Flips, HeadKind, Strategy, TrainingSettings
from db.tasks import Task


class MlServiceHealth(ResponseModel):
    """Whether a trainer is there to learn from the labels."""

    alive: bool
    starting: bool = Field(description="it is not alive yet, and `fewclick up` is starting it")
    heartbeat_age_s: float | None = Field(
        description="seconds since the last sign of life; null if there never was one"
    )


ExtractionState = Literal["done", "running", "starting", "stopped", "failed"]


class ExtractionHealth(ResponseModel):
    """How far the features of the images are."""

    state: ExtractionState = Field(
        description="stopped: some are missing and no extraction worker is alive; failed: one is, but cannot make them"
    )
    total: int = Field(description="images of the session")
    done: int = Field(description="with all features that the task reads")
    failed: int = Field(description="that cannot be used; see `failure` of the image")
    pooled_done: int = Field(description="with a pooled vector, the cheap tier")
    rate_images_s: float | None = Field(description="pace of all workers, images a second; null while unknown")
    eta_s: float | None = Field(description="seconds until all are done; null while unknown")
    message: str | None = Field(description="why none can be made, and what to do")


class Health(ResponseModel):
    """Whether everything is at work."""

    status: Literal["ok", "degraded"] = Field(description="degraded while no ML service is alive")
    version: str
    database: Literal["sqlite", "postgresql"]
    ml_service: MlServiceHealth
    extraction: ExtractionHealth


class ExtractorOut(ResponseModel):
    """The frozen network that made the features."""

    name: str
    dim: int = Field(description="channels of the patch features")
    patch_size: int = Field(description="side of a feature cell, pixels of the resized image")
    resize: int = Field(description="longest side of the resized image, pixels")


class SessionOut(ResponseModel):
    """What was initialised, and when."""

    name: str
    created_at: dt.datetime


class Config(ResponseModel):
    """Everything a page needs to start."""

    task: Task
    classes: list[LabelClassOut]
    extractor: ExtractorOut
    training: TrainingSettings
    heads: list[HeadKind] = Field(description="what `training.head` can be in a session of this task")
    session: SessionOut


class FinetunePatch(RequestModel):
    """How extractors are fine-tuned; what is left out stays. Bounds are those of `FinetuneSettings`."""

    rank: StrictInt | None = None
    alpha: StrictInt | None = None
    dropout: StrictFloat | None = None
    targets: list[AdaptedPart] | None = None
    learning_rate: StrictFloat | None = None
    max_epochs: StrictInt | None = None
    patience: StrictInt | None = None
    batch_size: StrictInt | None = None
    flips: Flips | None = None


class TrainingPatch(RequestModel):
    """Training parameters to change; what is left out stays. Bounds are those of `TrainingSettings`."""

    strategy: Strategy | None = None
    head: HeadKind | Literal["nonlinear"] | None = Field(
        default=None, description="`nonlinear` is the name that versions before 2 had for `conv` or, of images, `mlp`"
    )
    prediction_interval: StrictInt | None = None
    early_stop_patience: StrictInt | None = None
    early_stop_threshold: StrictFloat | None = None
    max_epochs: StrictInt | None = None
    follow_labels: StrictBool | None = None
    learning_rate: StrictFloat | None = None
    max_points: StrictInt | None = None
    confidence_threshold: StrictFloat | None = None
    min_distance: StrictFloat | None = None
    gradient_weight: StrictFloat | None = None
    extracted_weight: StrictFloat | None = None
    finetune: FinetunePatch | None = None


class ConfigPatch(TrainingPatch):
    """Parameters to change, at the top level or under `training` as GET gives them."""

    training: TrainingPatch | None = None


class SessionLink(ResponseModel):
    """A session served on this port."""

    name: str
    task: Task
    url: str = Field(description="of its page, relative to the server's root", examples=["/s/tissue/"])
    current: bool = Field(description="whether this is the one that answered")
