"""Images of the session."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backend.schemas.base import ResponseModel
from db.enums import FeatureState, ImageStatus, Split


class ImageOut(ResponseModel):
    """A registered image."""

    id: int
    path: str = Field(description="relative to the image folder, with forward slashes")
    width: int | None = Field(description="upright width, pixels; null if the file could not be read")
    height: int | None = Field(description="upright height, pixels; null if the file could not be read")
    status: ImageStatus
    features: FeatureState
    failure: str | None = Field(description="why `features` is failed")
    revision: int = Field(description="number of annotation changes so far")
    class_id: int | None = Field(description="label of the whole image (classification)")
    class_ids: list[int] | None = Field(
        description="classes of the whole image (multilabel), empty for none of them; null while nobody has answered"
    )
    point_count: int = Field(description="labelled points (segmentation)")
    uncertainty: float | None = Field(description="1 - confidence of the newest prediction, 0..1")
    predicted_class_id: int | None = Field(
        description="most probable class, or the one with the largest area; multilabel: the rarest of those predicted"
    )
    metadata: dict[str, Any]


class ImageDetails(ImageOut):
    """An image and its neighbours in order of id."""

    split: Split | None = Field(description="part of the labelled images that it belongs to, drawn once")
    previous_id: int | None
    next_id: int | None


class ImagePage(ResponseModel):
    """Part of a list of images."""

    items: list[ImageOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last one")
    total: int = Field(description="images that match, on all pages")
