"""The predicted classes of a segmentation in their colours, as small as the feature grid: for lists of pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from fastapi import Response

from backend.context import AppContext
from backend.schemas.classes import LabelClassOut
from backend.services.image_files import matches_etag
from backend.services.prediction_maps import encode_png, read_logits
from models.prediction_store import softmax

LEAST_ALPHA, MOST_ALPHA = 40, 150
"""Where the head is as undecided as it can be, and where it is sure."""


def send_overlay(context: AppContext, image_id: int, if_none_match: str | None) -> Response:
    """A PNG with transparency, one pixel a cell.

    Raises:
        NotFoundError: no such image, or no prediction yet.
        InvalidInputError: the session has no maps.
    """
    _image, prediction, logits = read_logits(context, image_id)
    colors = class_colors(prediction.class_ids, context.config.classes)
    etag = f'"{prediction.version}-{colors.tobytes().hex()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Prediction-Version": str(prediction.version)}
    if matches_etag(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(encode_png(paint_classes(logits, colors)), media_type="image/png", headers=headers)


def class_colors(class_ids: list[int], classes: tuple[LabelClassOut, ...]) -> npt.NDArray[np.uint8]:
    """BGR and 255 (K, 4) of the head's classes; nothing at all of those that were removed."""
    known = {found.id: found.color for found in classes}
    colors = np.zeros((len(class_ids), 4), np.uint8)
    for index, class_id in enumerate(class_ids):
        if class_id in known:
            red, green, blue = bytes.fromhex(known[class_id].removeprefix("#"))
            colors[index] = blue, green, red, 255
    return colors


def paint_classes(logits: npt.NDArray[np.float32], colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The most probable class of each cell in its colour, BGRA (Hp, Wp, 4), fainter where it is less sure.

    Args:
        logits: (K, Hp, Wp).
        colors: (K, 4), as `class_colors` has them.
    """
    probabilities = softmax(logits, axis=0)
    winner = probabilities.argmax(axis=0)
    even = 1 / len(logits)
    sure = (probabilities.max(axis=0) - even) / max(1 - even, 1e-6)
    painted = np.asarray(colors[winner], np.uint8)
    painted[..., 3] = np.where(painted[..., 3] > 0, LEAST_ALPHA + (MOST_ALPHA - LEAST_ALPHA) * sure, 0)
    return painted
