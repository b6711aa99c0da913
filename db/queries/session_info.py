"""The session row and the parameters in it that can be changed while people label."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from db.errors import SessionNotFoundError
from db.models import SessionInfo


class Strategy(StrEnum):
    """Which unlabelled image comes next."""

    SEQUENTIAL = "sequential"
    RANDOM = "random"
    LEAST_CONFIDENT = "least_confident"
    LEAST_CONFIDENT_MINORITY = "least_confident_minority"


class HeadKind(StrEnum):
    """What a full run trains: one linear layer, or a hidden layer that in segmentation sees 3 x 3 cells."""

    LINEAR = "linear"
    NONLINEAR = "nonlinear"


class TrainingSettings(BaseModel):
    """`SessionInfo.training`: from the YAML file at first, then PATCH /api/config."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Strategy = Strategy.SEQUENTIAL
    head: HeadKind = HeadKind.LINEAR
    prediction_interval: int = Field(default=20, ge=1, le=10_000, description="epochs between predictions of a run")
    early_stop_patience: int = Field(
        default=5, ge=1, le=10_000, description="checks without improvement, one per epoch"
    )
    early_stop_threshold: float = Field(default=0.001, ge=0, description="least improvement of the held-out loss")
    max_epochs: int = Field(default=500, ge=1, le=100_000)
    learning_rate: float = Field(default=0.01, gt=0, le=10)
    max_points: int = Field(default=500, ge=2, le=100_000, description="points to extract from one prediction")
    confidence_threshold: float = Field(default=0.15, gt=0, lt=0.5)
    min_distance: float = Field(default=3.0, ge=0, description="between extracted points, pixels of the image")
    gradient_weight: float = Field(default=2.0, ge=0)
    extracted_weight: float = Field(default=0.3, ge=0, le=1, description="weight of an extracted point in training")


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
    return TrainingSettings.model_validate(info.training)
