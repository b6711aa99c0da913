"""A prediction inside the event that announces it: the page paints it without asking for anything."""

from __future__ import annotations

import base64
import logging
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.context import AppContext
from backend.services.prediction_maps import grid_greys
from backend.services.predictions import describe_prediction
from db.errors import FewclickError
from db.queries.predictions import prediction_status
from db.tables.processes import Event
from models.errors import ModelsError
from models.prediction_store import read_map

logger = logging.getLogger(__name__)

MOST_MAP_BYTES = 128 * 1024
"""Of all maps of an event before base64; larger ones are fetched where they are needed."""


def prediction_in_event(context: AppContext, event: Event) -> dict[str, Any] | None:
    """What the event gains: `prediction`, as GET prediction answers, and of a segmentation `maps`.

    Each of the maps has class_id, width, height and values: 255 x probability, row by row, bytes in base64. Of two
    classes only the first one's is there, which says everything. Without maps they are to be fetched.

    Returns:
        None for an event that is not about the prediction of one image, or where that has gone meanwhile.
    """
    image_id = event.payload.get("image_id")
    if event.kind != "prediction" or image_id is None or event.payload.get("removed"):
        return None
    try:
        return _prediction_and_maps(context, image_id)
    except (FewclickError, ModelsError, OSError):
        # Whoever hears the event asks for the prediction, and is told what is wrong with it.
        logger.debug("the prediction of image %d is not sent with its event", image_id, exc_info=True)
        return None


def _prediction_and_maps(context: AppContext, image_id: int) -> dict[str, Any] | None:
    with context.database.read() as db_session:
        found = prediction_status(db_session, image_id)
    prediction = found.prediction
    if prediction is None:
        return None
    described = describe_prediction(context, image_id, prediction, stale=found.stale, root_path="")
    pushed: dict[str, Any] = {"prediction": described.model_dump(mode="json")}
    if not context.handler.has_maps or prediction.map_path is None:
        return pushed
    needed = needed_maps([known.id for known in context.config.classes], prediction.class_ids)
    if len(needed) * (prediction.map_width or 0) * (prediction.map_height or 0) > MOST_MAP_BYTES:
        return pushed
    greys = grid_greys(prediction, read_map(context.config.session_dir, prediction.map_path), needed)
    return {**pushed, "maps": [_map(class_id, grey) for class_id, grey in zip(needed, greys, strict=True)]}


def needed_maps(class_ids: Sequence[int], head_class_ids: Collection[int]) -> list[int]:
    """Which maps an overlay needs, of all classes in their order: a page that knows the same classes asks for no other.

    `neededMaps` of the page says the same; tests/backend/services/needed_maps.json holds both to it.
    """
    known = [class_id for class_id in class_ids if class_id in head_class_ids]
    return known[:1] if len(class_ids) == 2 else known


def _map(class_id: int, grey: npt.NDArray[np.uint8]) -> dict[str, Any]:
    height, width = grey.shape
    return {
        "class_id": class_id,
        "width": width,
        "height": height,
        "values": base64.b64encode(grey.tobytes()).decode("ascii"),
    }
