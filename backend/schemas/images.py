"""Images of the session."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backend.schemas.base import ResponseModel
from db.enums import FeatureState, ImageStatus, Origin, Split


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
    region_count: int = Field(default=0, description="regions (segmentation), erasers among them")
    uncertainty: float | None = Field(description="1 - confidence of the newest prediction, 0..1")
    predicted_class_id: int | None = Field(
        description="most probable class, or the one with the largest area; multilabel: the rarest of those predicted"
    )
    origin: Origin | None = Field(
        default=None, description="who gave the image its classes: accepted if none of them was chosen by a person"
    )
    predicted_version: int = Field(default=0, description="version of the newest prediction, 0 without one")
    predicted_class_ids: list[int] | None = Field(
        default=None, description="multilabel: what accepting the prediction would answer; null without one"
    )
    comment: str | None = Field(default=None, description="what a person noted about it")
    comment_revision: int = Field(default=0, description="number of changes of the comment so far")
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
    total: int | None = Field(
        description="images that match, on all pages; null only where `count=false` was asked for"
    )


class UpcomingImages(ResponseModel):
    """Images that a person is likely to come to."""

    items: list[ImageOut] = Field(description="in the order in which `next` would give them")


class ImageIds(ResponseModel):
    """Ids of images in the order of a list."""

    ids: list[int]
    total: int = Field(description="images that match")
    label_sequence: int = Field(description="changes of the session so far: what a bulk change says of unseen images")


class PictureDisplay(ResponseModel):
    """What a picture can be shown as, without changing any data."""

    bands: int = Field(description="how many there are to choose from for `bands=`, opacity left out")
    deep: bool = Field(description="more than 8 bits a band: another contrast shows more when the server renders it")
    tile_px: int | None = Field(description="side of a tile; null where the picture comes in one piece")
    levels: int = Field(description="of tiles: level n shows 2^n x 2^n pixels as one")
    black: float = Field(description="value of the file that is shown black")
    white: float = Field(description="value of the file that is shown white")
    auto_low: float = Field(description="automatic contrast: black, as share of the range from `black` to `white`")
    auto_high: float = Field(description="automatic contrast: white, likewise")


class ImageMetadata(ResponseModel):
    """What the metadata of images say."""

    keys: dict[str, list[str]] = Field(description="some of the values by key, as text")
