"""Points and labels. Coordinates are pixels of the upright original image; (0.5, 0.5) is its first pixel's centre."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from backend.schemas.base import Id, RequestModel, ResponseModel, Revision
from db.enums import Origin

MAX_POINTS = 100_000
MAX_CLASSES = 1000


class PointOut(ResponseModel):
    """A labelled point."""

    id: int
    x: float = Field(description="pixels from the left edge of the upright original image")
    y: float = Field(description="pixels from the top edge")
    class_id: int
    origin: Origin = Field(description="who made it; set by the server")


class LabelOut(ResponseModel):
    """The class of a whole image, or one of several."""

    class_id: int
    origin: Origin


class AnnotationStateOut(ResponseModel):
    """Everything said about one image."""

    image_id: int
    revision: int = Field(description="grows with every change, undo and redo included")
    points: list[PointOut]
    label: LabelOut | None
    labels: list[LabelOut] | None = Field(
        description="multilabel: the classes that hold, empty for none of them; null while nobody has answered"
    )
    skipped: bool
    undetermined: bool = Field(description="a person has looked and cannot tell")
    can_undo: bool
    can_redo: bool


class PointIn(BaseModel):
    """A point as a client sends it. What the server sets (origin) may be there, as it came, and is ignored."""

    x: float = Field(
        strict=True, ge=0, allow_inf_nan=False, description="pixels from the left edge of the upright original image"
    )
    y: float = Field(strict=True, ge=0, allow_inf_nan=False, description="pixels from the top edge")
    class_id: Id
    id: Id | None = Field(default=None, description="of an existing point; left out for a new one")


class AnnotationPut(RequestModel):
    """The new annotation of an image: `points` (segmentation), `class_id` (classification) or `class_ids`."""

    revision: Revision | None = Field(
        default=None, description="the revision this replaces, 409 if it is no longer the newest; left out: overwrite"
    )
    points: Annotated[list[PointIn], Field(max_length=MAX_POINTS)] | None = None
    class_id: Id | None = None
    class_ids: Annotated[list[Id], Field(max_length=MAX_CLASSES)] | None = Field(
        default=None, description="all classes that hold; empty: none of them, which is an answer too"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> AnnotationPut:
        if sum(given is not None for given in (self.points, self.class_id, self.class_ids)) != 1:
            raise ValueError("give either points (segmentation), class_id (classification) or class_ids (multilabel)")
        return self


class ExpectedRevision(RequestModel):
    """What undo, redo and skip may say; they may also come without a body."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")


class ExtractPoints(RequestModel):
    """Replace earlier extracted points by new ones from the prediction."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")


class AcceptPrediction(RequestModel):
    """Make the prediction the annotation."""

    version: Revision | None = Field(
        default=None, description="version of the prediction that the person saw; 409 if another one has come since"
    )
    revision: Revision | None = Field(default=None, description="as in PUT annotations")
