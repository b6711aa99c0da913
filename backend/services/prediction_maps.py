"""Probability maps of a segmentation: on the grid as stored, or in full size, refined along the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from fastapi import Response

from backend.context import AppContext
from backend.schemas.predictions import MapSize
from backend.services.image_files import shrink
from backend.services.image_paths import image_path
from backend.services.predictions import no_prediction, request_lost_map
from backend.services.session_snapshot import SessionSnapshot
from db.errors import InvalidInputError, NotFoundError
from db.models import Image, Prediction
from db.queries.images import get_image
from models.geometry import resample, scale_between
from models.images import read_image
from models.prediction_store import read_map, softmax, upsampled_probabilities

SMOOTHER_SIGMA_COLOR = 4.0
"""Colour difference, of 255, across which the refined map changes freely. With the strength below it never lowered the
IoU on nuclei, vegetation, spheroidite and cars (by 0.00 to 0.02 better than plain upsampling); larger values of either
help on smooth objects and harm on fine ones."""
SMOOTHER_LAMBDA_PER_CELL = 4.0
"""Strength of the smoothing, in squared cells of the grid."""
GUIDE_PIXELS_PER_CELL = 2
"""At least, along either side: the refined map still shows what the grid tells apart."""
LEVEL_LOGIT = 8.0
"""Logits beyond are certainty: P differs from 0 or 1 by a tenth of what 8 bits resolve."""
MAP_READS = 5


def send_map(context: AppContext, image_id: int, class_id: int | None, size: MapSize) -> Response:
    """255 x P(class) as an 8-bit grey PNG; a class that the head does not know is nowhere.

    Raises:
        NotFoundError: no such image or class, or no prediction yet.
        InvalidInputError: the session has no maps.
    """
    image, prediction, logits = read_logits(context, image_id)
    wanted = _wanted_class(context, prediction, class_id)
    if size is MapSize.GRID:
        data = encode_png(to_grey(_class_plane(softmax(logits, axis=0), prediction, wanted)))
    else:
        data = _full_size_png(context, image, prediction, logits, wanted)
    headers = {"Cache-Control": "private, no-cache", "X-Prediction-Version": str(prediction.version)}
    return Response(data, media_type="image/png", headers=headers)


def read_logits(context: AppContext, image_id: int) -> tuple[Image, Prediction, npt.NDArray[np.float32]]:
    """An image, its newest prediction and the logits (K, Hp, Wp) of just that prediction.

    Raises:
        NotFoundError: no such image, or no prediction of it, or its map is lost; then it is asked for again.
        InvalidInputError: the session has no maps.
    """
    for _attempt in range(MAP_READS):
        with context.database.read() as db_session:
            image = get_image(db_session, image_id)
            prediction = db_session.get(Prediction, image_id)
        if not context.handler.has_maps:
            raise InvalidInputError(f"this is a {context.config.task.name} session: its predictions have no map")
        if prediction is None or prediction.map_path is None:
            raise no_prediction(image_id)
        try:
            return image, prediction, read_map(context.config.session_dir, prediction.map_path)
        except FileNotFoundError:
            # A newer version has taken the place of this one since the row was read.
            continue
    raise request_lost_map(context, image_id)


def refined_probability(
    logits: npt.NDArray[np.float32], index: int, guide: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """P(class `index`) (H, W) from logits (K, Hp, Wp), following the edges of the picture.

    The filter (fast global smoother, Min et al. 2014) is linear with weights that only depend on the picture: filtering
    each class on its own leaves the sum of all at 1.

    Args:
        guide: (H, W, 3) RGB.
    """
    height, width = guide.shape[:2]
    probability = np.ascontiguousarray(upsampled_probabilities(logits, width, height)[index])
    # Of a narrow picture the cells are narrow too: the longer side of one would smooth away all that lies across it.
    cell_px = float(scale_between(_grid_size(logits), (width, height)).min())
    strength = SMOOTHER_LAMBDA_PER_CELL * cell_px**2
    if min(height, width) < 2 or cell_px <= 1:
        return probability
    smoothed = cv2.ximgproc.fastGlobalSmootherFilter(guide, probability, strength, SMOOTHER_SIGMA_COLOR)
    return np.asarray(np.clip(smoothed, 0, 1), dtype=np.float32)


def read_guide(
    session: SessionSnapshot, image: Image, max_side: int, logits: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """The picture at the size at which maps of these logits (K, Hp, Wp) are refined."""
    path = image_path(session.image_root, image.path)
    columns, rows = _grid_size(logits)
    least = (columns * GUIDE_PIXELS_PER_CELL, rows * GUIDE_PIXELS_PER_CELL)
    return shrink(read_image(path, preprocessing=session.preprocessing), max_side, least=least)


def full_size_levels(probability: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.uint16]:
    """Probabilities (H, W) at another size (height, width), as levels: 65,535 / 2 is one half, more is more probable.

    The levels are linear in the logit: where a class ends would move by up to half a pixel of the smaller map if
    probabilities were interpolated. Two bytes a pixel, as the picture may have hundreds of millions.
    """
    bounded = np.clip(probability, 1 / (1 + np.exp(LEVEL_LOGIT)), 1 / (1 + np.exp(-LEVEL_LOGIT)))
    logits = np.log(bounded / (1 - bounded))
    levels = np.rint((logits + LEVEL_LOGIT) * (65535 / (2 * LEVEL_LOGIT))).astype(np.uint16)
    return np.asarray(resample(levels, width, height), dtype=np.uint16)


def _grid_size(logits: npt.NDArray[np.float32]) -> tuple[int, int]:
    return logits.shape[2], logits.shape[1]


def to_grey(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """255 x P, rounded."""
    return np.asarray(np.rint(probability * 255), dtype=np.uint8)


def _level_greys() -> npt.NDArray[np.uint8]:
    """By level of `full_size_levels`: 255 x P."""
    logits = np.linspace(-LEVEL_LOGIT, LEVEL_LOGIT, 65536, dtype=np.float32)
    return to_grey(np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32))


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Lossless, quick rather than small."""
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _wanted_class(context: AppContext, prediction: Prediction, class_id: int | None) -> int:
    present = context.config.class_ids
    if class_id is None:
        class_id = next((known for known in prediction.class_ids if known in present), None)
    if class_id not in present or class_id is None:
        listed = ", ".join(f"{c.id} ({c.name})" for c in context.config.classes)
        raise NotFoundError(f"there is no class {class_id}: the classes are {listed}")
    return class_id


def _class_plane(
    probabilities: npt.NDArray[np.float32], prediction: Prediction, class_id: int
) -> npt.NDArray[np.float32]:
    if class_id not in prediction.class_ids:
        return np.zeros(probabilities.shape[1:], np.float32)
    plane: npt.NDArray[np.float32] = probabilities[prediction.class_ids.index(class_id)]
    return plane


def _full_size_png(
    context: AppContext, image: Image, prediction: Prediction, logits: npt.NDArray[np.float32], class_id: int
) -> bytes:
    assert image.width is not None
    assert image.height is not None
    if class_id not in prediction.class_ids:
        return encode_png(np.zeros((image.height, image.width), np.uint8))
    key = (image.id, image.content_hash, prediction.version, class_id)
    cached = context.maps.get(key)
    if cached is not None:
        return cached
    guide = read_guide(context.config, image, context.settings.max_work_side, logits)
    probability = refined_probability(logits, prediction.class_ids.index(class_id), guide)
    if probability.shape == (image.height, image.width):
        grey = to_grey(probability)
    else:
        grey = _level_greys()[full_size_levels(probability, image.width, image.height)]
    data = encode_png(grey)
    context.maps.put(key, data)
    return data
