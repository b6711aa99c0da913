"""What the head says about an image."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import Field

from backend.schemas.base import ResponseModel


class MapSize(StrEnum):
    """Resolution of a prediction map."""

    GRID = "grid"
    IMAGE = "image"


class ClassProbability(ResponseModel):
    """Probability of one class."""

    class_id: int
    p: float = Field(description="0..1")


class PredictionMap(ResponseModel):
    """Where to get the probability maps of a segmentation."""

    url: str = Field(description="of GET prediction/map; add class_id= and size=")
    width: int = Field(description="of the feature grid, cells")
    height: int = Field(description="of the feature grid, cells")
    class_ids: list[int] = Field(description="classes the head knows; the map of any other class is zero")


class PredictionOut(ResponseModel):
    """The newest prediction of an image."""

    version: int = Field(description="of the head that made it; grows")
    checkpoint_id: int | None
    annotation_revision: int = Field(description="newest revision of this image that the prediction has learned from")
    stale: bool = Field(description="a newer head exists that has not predicted this image yet")
    created_at: dt.datetime
    probabilities: list[ClassProbability] | None = Field(
        default=None,
        description="classification, multilabel: sorted, most probable first; classes the head knows. They sum to 1 in "
        "a classification; in a multilabel session each stands alone, and those of a group sum to 1 at most",
    )
    map: PredictionMap | None = Field(default=None, description="segmentation")
