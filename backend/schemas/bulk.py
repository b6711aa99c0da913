"""One change of many images."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from backend.schemas.annotations import MAX_CLASSES
from backend.schemas.base import Id, RequestModel, ResponseModel, Revision
from db.enums import FeatureState, ImageStatus
from db.queries.bulk_changes import MOST_IMAGES
from db.queries.image_filters import ImageFilter

Share = Annotated[float, Field(ge=0, le=1)]


class BulkAction(StrEnum):
    """What is done to each of the images."""

    LABEL = "label"
    ADD = "add"
    REMOVE = "remove"
    ACCEPT = "accept"
    CONFIRM = "confirm"
    SKIP = "skip"
    UNDETERMINED = "undetermined"
    CLEAR = "clear"
    UNDO = "undo"
    REDO = "redo"


ABOUT_A_CLASS = frozenset({BulkAction.ADD, BulkAction.REMOVE})


class BulkImage(RequestModel):
    """One of the images, and what the person saw of it."""

    id: Id
    revision: Revision | None = Field(default=None, description="left alone where it is at another one")
    label_sequence: Revision | None = Field(
        default=None,
        description="without a revision: that of the list of ids which named it; left alone where it changed since",
    )
    version: Revision | None = Field(default=None, description="accept: of the prediction in sight, 0: none")
    predicted: Annotated[list[Id], Field(max_length=MAX_CLASSES)] | None = Field(
        default=None, description="accept: the class or classes in sight; a newer prediction that says the same is fine"
    )


class ImageFilterBody(RequestModel):
    """As the query of `GET /api/images`."""

    status: ImageStatus | None = None
    features: FeatureState | None = None
    q: Annotated[str, Field(max_length=200)] | None = None
    labeled_class_id: Id | None = None
    predicted_class_id: Id | None = None
    shown_class_id: Id | None = None
    reviewed: bool | None = None
    min_confidence: Share | None = None
    max_confidence: Share | None = None
    metadata: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)

    def to_filter(self) -> ImageFilter:
        """As queries take it."""
        return ImageFilter(
            status=self.status,
            class_id=self.labeled_class_id,
            q=self.q,
            features=self.features,
            predicted_class_id=self.predicted_class_id,
            shown_class_id=self.shown_class_id,
            reviewed=self.reviewed,
            min_confidence=self.min_confidence,
            max_confidence=self.max_confidence,
            metadata=tuple(self.metadata.items()),
        )


class BulkChange(RequestModel):
    """The same change of many images of a session whose images are labelled as wholes: all in one transaction."""

    action: BulkAction = Field(
        description="label: class_id or class_ids hold, no other; add, remove: class_id (multilabel); accept: the "
        "prediction, of unlabelled images; confirm: what was accepted counts as a person's; undo, redo: a step of each"
    )
    images: Annotated[list[BulkImage], Field(min_length=1, max_length=MOST_IMAGES)] | None = None
    filter: ImageFilterBody | None = Field(default=None, description="in place of images: all that match")
    class_id: Id | None = None
    class_ids: Annotated[list[Id], Field(max_length=MAX_CLASSES)] | None = None
    by_model: bool = Field(
        default=False,
        description="what a head said decided which images these are: none of them becomes a validation image",
    )

    unseen: bool = Field(
        default=False,
        description="accept: also of images that give neither version nor predicted, whatever the head says of them; "
        "with a filter it is always so",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> BulkChange:
        if (self.images is None) == (self.filter is None):
            raise ValueError("give either images or filter")
        given = (self.class_id is not None) + (self.class_ids is not None)
        if self.action is BulkAction.LABEL and given != 1:
            raise ValueError("label needs class_id (classification) or class_ids (multilabel)")
        if self.action in ABOUT_A_CLASS and (self.class_id is None or self.class_ids is not None):
            raise ValueError(f"{self.action.value} needs class_id alone")
        if self.action is not BulkAction.LABEL and self.action not in ABOUT_A_CLASS and given:
            raise ValueError(f"{self.action.value} is about no class: leave class_id and class_ids out")
        if self.action is BulkAction.ACCEPT and not self.unseen:
            self._require_seen()
        return self

    def _require_seen(self) -> None:
        blind = [image.id for image in self.images or [] if image.version is None and image.predicted is None]
        if blind:
            raise ValueError(
                f"accept of image {blind[0]} does not say what was in sight: give its version (0: no prediction) or "
                "what was predicted, or send unseen: true"
            )


class ChangedImage(ResponseModel):
    """An image that was changed."""

    id: int
    revision: int = Field(description="the new one: what an undo of this change names")


class BulkOutcomeOut(ResponseModel):
    """What became of the images."""

    changed: list[ChangedImage]
    unchanged: int = Field(description="were so before, or there was nothing to do")
    conflicts: list[int] = Field(description="another revision or prediction than the person saw: left alone")
    refused: list[int] = Field(description="no such image, or it cannot be labelled")
    emptied: int = Field(
        description="of those changed: labelled before, and no longer (skip, undetermined, clear, undo)"
    )
