"""Health, configuration and classes of a session."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from backend.schemas.base import Id, RequestModel, ResponseModel
from db.queries.session_info import AdaptedPart, Flips, HeadKind, Strategy, TrainingSettings
from db.tasks import Task

ClassName = Annotated[
    # One line without control characters: it stands in tables, file headers and error messages.
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]


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


class LabelClassOut(ResponseModel):
    """A class that can be assigned."""

    id: int
    name: str
    color: str = Field(description="#RRGGBB")
    group: str | None = Field(
        description="multilabel: an image has at most one of the classes of a group; null: any number"
    )


class LabelClassNew(RequestModel):
    """A class to add."""

    name: ClassName
    color: Color | None = Field(default=None, description="#RRGGBB; left out: one unlike those in use is chosen")
    group: ClassName | None = Field(default=None, description="multilabel: of classes that exclude each other")


class LabelClassChange(RequestModel):
    """What to change of a class; what is left out stays."""

    name: ClassName | None = None
    color: Color | None = Field(default=None, description="#RRGGBB")
    group: ClassName | None = Field(
        default=None,
        description="multilabel: of classes that exclude each other; null takes the class out of its group",
    )
    merge_into: Id | None = Field(
        default=None, description="id of another class that takes over all annotations; this class is then removed"
    )


class LabelClassChanged(LabelClassOut):
    """The class after the change; after a merge, the class that took over."""

    annotations_moved: int = Field(default=0, description="points or labels that a merge gave to this class")


class LabelClassRemoved(ResponseModel):
    """What a removal took away; POST /classes/{id}/restore brings it back."""

    id: int
    annotations_removed: int = Field(description="points, or labels of whole images")
    images_changed: int


class LabelClassRestored(LabelClassOut):
    """A removed class that is back."""

    annotations_restored: int


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
