"""The class of each pixel of an image: what regions say, what the prediction says, or both."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from fastapi import Response
from PIL import Image as PillowImage

from backend.context import AppContext
from backend.schemas.export import MaskSource
from backend.services.prediction_maps import read_label_map
from backend.services.predictions import no_prediction, request_lost_map
from backend.services.region_edits import label_map, painted_regions
from db.errors import ConflictError, InvalidInputError
from db.queries.images import get_image
from db.tables.learning import Prediction
from db.tasks import Annotates

MOST_CLASSES = 255
READS = 5


def send_mask(context: AppContext, image_id: int, source: MaskSource) -> Response:
    """Indexed PNG: 0, transparent, where no class is known; v for the v-th class of the session.

    Raises:
        NotFoundError: no such image, or no prediction where one is asked for.
        InvalidInputError: the session has no regions, or more classes than an indexed PNG has colours.
        ConflictError: the image could not be read.
    """
    if context.config.task.annotates is not Annotates.POINTS:
        raise InvalidInputError(f"this is a {context.config.task.name} session: its images have no mask")
    if len(context.config.classes) > MOST_CLASSES:
        raise InvalidInputError(
            f"a mask holds {MOST_CLASSES} classes, the session has {len(context.config.classes)}: read the regions"
        )
    with context.database.read() as db_session:
        image = get_image(db_session, image_id)
        if image.width is None or image.height is None:
            raise ConflictError(f"image {image_id} could not be read ({image.failure or 'no reason recorded'})")
        class_ids = [label_class.id for label_class in context.config.classes]
        painted = painted_regions(db_session, image, context.config.class_ids)
        is_predicted = db_session.get(Prediction, image_id) is not None
    # Painting takes a while, and a read that goes on keeps what others write from being put away.
    annotated = label_map(painted, class_ids, image.width, image.height)
    # Where nothing is predicted yet, there is nothing to merge.
    if source is MaskSource.PREDICTED or (source is MaskSource.MERGED and is_predicted):
        predicted = _predicted(context, image_id, class_ids)
        annotated = predicted if source is MaskSource.PREDICTED else np.where(annotated > 0, annotated, predicted)
    headers = {"Cache-Control": "private, no-cache", "X-Annotation-Revision": str(image.revision)}
    return Response(_png(context, annotated.astype(np.uint8)), media_type="image/png", headers=headers)


def _predicted(context: AppContext, image_id: int, class_ids: list[int]) -> npt.NDArray[np.uint16]:
    for _attempt in range(READS):
        with context.database.read() as db_session:
            image = get_image(db_session, image_id)
            prediction = db_session.get(Prediction, image_id)
        if prediction is None:
            raise no_prediction(image_id)
        try:
            indices, known = read_label_map(context, image, prediction)
        except FileNotFoundError:
            continue
        lookup = np.array([class_ids.index(class_id) + 1 for class_id in known], dtype=np.uint16)
        return np.asarray(lookup[indices], dtype=np.uint16)
    raise request_lost_map(context, image_id)


def _png(context: AppContext, values: npt.NDArray[np.uint8]) -> bytes:
    picture = PillowImage.fromarray(values, mode="P")
    colors = [0, 0, 0]
    for label_class in context.config.classes:
        colors += bytes.fromhex(label_class.color[1:])
    picture.putpalette(colors)
    data = io.BytesIO()
    picture.save(data, "PNG", transparency=0, compress_level=1)
    return data.getvalue()
