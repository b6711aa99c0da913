"""The filter of images as a query: the same for lists, for the next image, and for the neighbours of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query

from backend.schemas.base import QueryId
from db.enums import FeatureState, ImageStatus
from db.errors import InvalidInputError
from db.queries.image_filters import ImageFilter

MOST_PAIRS = 20
Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False, description="of the newest prediction, 0..1")]


def read_filter(
    features: FeatureState | None = None,
    q: Annotated[str | None, Query(max_length=200, description="part of the path or of the comment, or the id")] = None,
    labeled_class_id: Annotated[QueryId, Query(description="annotated with this class or one below it")] = None,
    predicted_class_id: Annotated[QueryId, Query(description="predicted as this class or one below it")] = None,
    shown_class_id: Annotated[
        QueryId, Query(description="annotated with this class, or unlabelled and predicted as it")
    ] = None,
    reviewed: Annotated[
        bool | None, Query(description="labelled: true by a person, false merely by accepting a prediction")
    ] = None,
    min_confidence: Share = None,
    max_confidence: Share = None,
    meta: Annotated[
        list[str] | None, Query(max_length=MOST_PAIRS, description="key=value of the image's metadata; may be repeated")
    ] = None,
) -> ImageFilter:
    """All but the status, which means different things to a list and to the next image."""
    return ImageFilter(
        class_id=labeled_class_id,
        q=q,
        features=features,
        predicted_class_id=predicted_class_id,
        shown_class_id=shown_class_id,
        reviewed=reviewed,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        metadata=tuple(_pair(text) for text in meta or ()),
    )


FilterQuery = Annotated[ImageFilter, Depends(read_filter)]


def of_status(wanted: ImageFilter, status: ImageStatus | None, class_id: int | None = None) -> ImageFilter:
    """The filter with its status, and with the class under its older name."""
    return replace(wanted, status=status, class_id=wanted.class_id if class_id is None else class_id)


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key or len(text) > 500:
        raise InvalidInputError(f"meta={text[:40]!r} names no key and value: expected meta=key=value, as meta=site=A")
    return key, value
