"""The session row and the parameters in it that can be changed while people label."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from db.errors import InvalidInputError, SessionNotFoundError
from db.tables.session import SessionInfo
from db.tasks import Annotates, Task

ADAPTER_KEY = "adapter_path"
"""Of `SessionInfo.config`: the adapter in force, relative to the session folder or absolute."""
ADAPTER_BASE_KEY = "adapter_base"
"""Of `SessionInfo.config`: {"adapted", "base"}, two extractors; what the session goes back to from the adapted one."""


class Strategy(StrEnum):
    """Which unlabelled image comes next."""

    SEQUENTIAL = "sequential"
    RANDOM = "random"
    LEAST_CONFIDENT = "least_confident"
    LEAST_CONFIDENT_MINORITY = "least_confident_minority"


class HeadKind(StrEnum):
    """What a full run trains; `heads_of` says which a task has."""

    LINEAR = "linear"
    """One layer."""
    CONV = "conv"
    """Of points: a hidden layer, then a 3 x 3 convolution."""
    MLP = "mlp"
    """A hidden layer, then the linear one, each cell or image by itself."""


OLD_NONLINEAR = "nonlinear"
"""Sessions, YAML files and checkpoints of versions before 2 call the head with a hidden layer so, in either task."""


class AdaptedPart(StrEnum):
    """Linear layers of each block of a ViT that fine-tuning can adapt."""

    QUERY = "q"
    KEY = "k"
    VALUE = "v"
    OUT = "out"
    """Of the attention."""
    MLP = "mlp"


class Flips(StrEnum):
    """How pictures are mirrored at random while the extractor learns from them."""

    NONE = "none"
    HORIZONTAL = "horizontal"
    BOTH = "both"


class FinetuneSettings(BaseModel):
    """How an extractor is fine-tuned; docs/finetuning.md says what each costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=8, ge=1, le=256, description="of the adapter's factors")
    alpha: int = Field(default=16, ge=1, le=1024, description="the adapter counts alpha / rank")
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: tuple[AdaptedPart, ...] = Field(default=(AdaptedPart.QUERY, AdaptedPart.VALUE), min_length=1)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    max_epochs: int = Field(default=30, ge=1, le=10_000)
    patience: int = Field(default=5, ge=1, le=10_000, description="epochs without improvement of the held-out loss")
    batch_size: int = Field(default=8, ge=1, le=1024, description="images to a step")
    flips: Flips = Flips.HORIZONTAL


class TrainingSettings(BaseModel):
    """`SessionInfo.training`: from the YAML file at first, then PATCH /api/config."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Strategy = Strategy.SEQUENTIAL
    head: HeadKind = HeadKind.LINEAR
    prediction_interval: int = Field(
        default=20, ge=1, le=10_000, description="epochs between predictions of a run; one more comes at its end"
    )
    early_stop_patience: int = Field(default=5, ge=1, le=10_000, description="epochs without improvement")
    early_stop_threshold: float = Field(default=0.001, ge=0, description="least improvement of the held-out loss")
    max_epochs: int = Field(default=500, ge=1, le=100_000, description="epochs on the same labels")
    follow_labels: bool = Field(default=True, description="whether a run at work goes on with labels that arrive")
    learning_rate: float = Field(default=0.01, gt=0, le=10)
    max_points: int = Field(default=500, ge=2, le=100_000, description="points to extract from one prediction")
    confidence_threshold: float = Field(default=0.15, gt=0, lt=0.5)
    min_distance: float = Field(default=3.0, ge=0, description="between extracted points, pixels of the image")
    gradient_weight: float = Field(default=2.0, ge=0)
    extracted_weight: float = Field(default=0.3, ge=0, le=1, description="weight of an extracted point in training")
    finetune: FinetuneSettings = FinetuneSettings()


def get_session_info(db_session: Session) -> SessionInfo:
    """The one row.

    Raises:
        SessionNotFoundError: the database was migrated but never initialised.
    """
    info = db_session.get(SessionInfo, 1)
    if info is None:
        raise SessionNotFoundError(
            "the database holds no session yet: run `python initialization/init_session.py --config FILE` first"
        )
    return info


def training_settings(info: SessionInfo) -> TrainingSettings:
    """The session's training parameters, typed."""
    return read_training(info.training, info.task)


def read_training(values: Mapping[str, Any], task: Task) -> TrainingSettings:
    """Training parameters of a session of `task`.

    Raises:
        pydantic.ValidationError: a value outside its bounds.
        InvalidInputError: the task has no such head.
    """
    settings = TrainingSettings.model_validate({**values, "head": head_name(values.get("head", "linear"), task)})
    check_head(settings.head, task)
    return settings


def heads_of(task: Task) -> tuple[HeadKind, ...]:
    """What a full run can train in a session of that task: a whole image has no neighbours to convolve with."""
    return tuple(HeadKind) if task.annotates is Annotates.POINTS else (HeadKind.LINEAR, HeadKind.MLP)


def head_name(name: Any, task: Task) -> Any:
    """The name of today for the head that an older version called `nonlinear`."""
    if name != OLD_NONLINEAR:
        return name
    return (HeadKind.CONV if HeadKind.CONV in heads_of(task) else HeadKind.MLP).value


def check_head(head: HeadKind, task: Task) -> None:
    """Refuse a head that the task does not have.

    Raises:
        InvalidInputError: it is not one of `heads_of`.
    """
    if head not in heads_of(task):
        known = " or ".join(repr(kind.value) for kind in heads_of(task))
        raise InvalidInputError(f"head is {head.value!r}, a {task.name} session has {known}")
