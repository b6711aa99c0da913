"""Points and labels. Coordinates are pixels of the upright original image; (0.5, 0.5) is its first pixel's centre."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from backend.schemas.base import Id, RequestModel, ResponseModel, Revision
from backend.schemas.regions import RegionOut, Regions
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
    regions: list[RegionOut] = Field(default=[], description="segmentation: the last is on top")
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
    """The new annotation of an image: `points`, `regions` or both (segmentation), `class_id` (classification) or
    `class_ids`. Of points and regions, what is left out stays.
    """

    revision: Revision | None = Field(
        default=None, description="the revision this replaces, 409 if it is no longer the newest; left out: overwrite"
    )
    points: Annotated[list[PointIn], Field(max_length=MAX_POINTS)] | None = None
    class_id: Id | None = None
    class_ids: Annotated[list[Id], Field(max_length=MAX_CLASSES)] | None = Field(
        default=None, description="all classes that hold; empty: none of them, which is an answer too"
    )

    regions: Regions | None = Field(
        default=None, description="segmentation, with points or alone: the last is on top; left out: they stay"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> AnnotationPut:
        places = self.points if self.points is not None else self.regions
        given = sum(kind is not None for kind in (places, self.class_id, self.class_ids))
        if given != 1:
            raise ValueError(
                "give either points or regions (segmentation), class_id (classification) or class_ids (multilabel)"
            )
        return self


class ExpectedRevision(RequestModel):
    """What undo, redo and skip may say; they may also come without a body."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")


class ExtractPoints(RequestModel):
    """Replace earlier extracted points by new ones from the prediction."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")


class AcceptedForm(StrEnum):
    """What an accepted map becomes."""

    MASKS = "masks"
    POINTS = "points"


class AcceptPrediction(RequestModel):
    """Make the prediction the annotation."""

    version: Revision | None = Field(
        default=None, description="version of the prediction that the person saw; 409 if another one has come since"
    )
    into: AcceptedForm = Field(
        default=AcceptedForm.MASKS, description="segmentation: masks as drawn; points: some inside of each"
    )
    x: float | None = Field(default=None, ge=0, description="segmentation: with y, only the region at this place")
    y: float | None = Field(default=None, ge=0)
    class_id: Id | None = Field(
        default=None, description="with x and y: the class that the region has, where the prediction is wrong"
    )
    fill_holes: bool = Field(default=False, description="with x and y: what the region encloses belongs to it")

    @model_validator(mode="after")
    def _is_whole(self) -> AcceptPrediction:
        if (self.x is None) != (self.y is None):
            raise ValueError("give x and y together, or neither for the whole image")
        if self.x is None and (self.class_id is not None or self.fill_holes):
            raise ValueError("class_id and fill_holes are about one region: give x and y")
        if self.x is not None and self.into is AcceptedForm.POINTS:
            raise ValueError("a region at x and y becomes a mask: leave into out")
        return self

    revision: Revision | None = Field(default=None, description="as in PUT annotations")
