"""Probability maps of a segmentation: on the grid as stored, or in full size, refined along the picture's edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from fastapi import Response
from sqlalchemy import select

from backend.context import AppContext
from backend.schemas.predictions import MapSize
from backend.services.image_paths import image_path
from backend.services.predictions import no_prediction, request_lost_map
from backend.services.session_snapshot import SessionSnapshot
from db.enums import Origin
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.queries.images import get_image
from db.tables.annotations import Point
from db.tables.images import Image
from db.tables.learning import Prediction
from models.guide import Guide, make_guide
from models.images import read_image
from models.prediction_store import read_map, softmax
from models.refinement import Clicks, Refinement, fit_refinement

MAP_READS = 5


def send_map(context: AppContext, image_id: int, class_id: int | None, size: MapSize) -> Response:
    """255 x P(class) as an 8-bit grey PNG; a class that the head does not know is nowhere.

    Raises:
        NotFoundError: no such image or class, or no prediction yet.
        InvalidInputError: the session has no maps.
        ImageReadError, ConflictError: as `read_guide`.
    """
    image, prediction, logits = read_logits(context, image_id)
    wanted = _wanted_class(context, prediction, class_id)
    if size is MapSize.GRID:
        data = encode_png(grid_greys(prediction, logits, [wanted])[0])
    else:
        data = _full_size_png(context, image, prediction, logits, wanted)
    headers = {"Cache-Control": "private, no-cache", "X-Prediction-Version": str(prediction.version)}
    return Response(data, media_type="image/png", headers=headers)


def grid_greys(
    prediction: Prediction, logits: npt.NDArray[np.float32], class_ids: Iterable[int]
) -> list[npt.NDArray[np.uint8]]:
    """255 x P (Hp, Wp) of each of the classes, from logits (K, Hp, Wp); one that the head does not know is nowhere."""
    probabilities = softmax(logits, axis=0)
    nowhere = np.zeros(logits.shape[1:], np.uint8)
    return [
        to_grey(probabilities[prediction.class_ids.index(class_id)]) if class_id in prediction.class_ids else nowhere
        for class_id in class_ids
    ]


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


def read_guide(session: SessionSnapshot, image: Image, grid: Sequence[int]) -> Guide:
    """What refinement looks at of the picture, for logits (K, *grid).

    Raises:
        ImageReadError: it cannot be read any more.
        ConflictError: it has not the size with which it was registered.
    """
    pixels = read_image(image_path(session.image_root, image.path), preprocessing=session.preprocessing)
    if pixels.shape[:2] != (image.height, image.width):
        raise ConflictError(
            f"{image.path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, {image.width} x {image.height} when "
            "it was registered: put the old file back, or run init with --append"
        )
    return make_guide(pixels, grid)


def refine_prediction(
    prediction: Prediction,
    logits: npt.NDArray[np.float32],
    guide: Guide,
    points: Iterable[Point],
) -> Refinement:
    """The prediction along the edges of the picture; what people clicked in it is not overruled.

    Args:
        points: Of this image; those that people did not set themselves do not count.
    """
    own = [point for point in points if point.origin is Origin.HUMAN and point.class_id in prediction.class_ids]
    xy = np.array([(point.x, point.y) for point in own], np.float64).reshape(-1, 2)
    class_index = np.array([prediction.class_ids.index(point.class_id) for point in own], np.intp)
    return fit_refinement(logits, guide, Clicks(xy, class_index))


def read_label_map(
    context: AppContext, image: Image, prediction: Prediction
) -> tuple[npt.NDArray[np.unsignedinteger], list[int]]:
    """The most probable class of each pixel, as the full-size maps show it: indices (H, W) into a list of class ids.

    Raises:
        FileNotFoundError: a newer prediction has replaced this one.
        ConflictError: all its classes were removed; else as `read_guide`.
    """
    kept = [index for index, class_id in enumerate(prediction.class_ids) if class_id in context.config.class_ids]
    if not kept or prediction.map_path is None:
        raise ConflictError(
            f"the prediction of image {image.id} is of classes that were removed: wait for the next one"
        )
    logits = read_map(context.config.session_dir, prediction.map_path)
    with context.refining:
        refinement = _fitted(context, image, prediction, logits)
        return refinement.label_map(kept), [prediction.class_ids[index] for index in kept]


def to_grey(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """255 x P, rounded."""
    return np.asarray(np.rint(probability * 255), dtype=np.uint8)


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


def _full_size_png(
    context: AppContext, image: Image, prediction: Prediction, logits: npt.NDArray[np.float32], class_id: int
) -> bytes:
    assert image.width is not None
    assert image.height is not None
    if class_id not in prediction.class_ids:
        return encode_png(np.zeros((image.height, image.width), np.uint8))
    key = (image.id, image.content_hash, prediction.version, image.revision)
    index = prediction.class_ids.index(class_id)
    cached = context.maps.get((*key, class_id))
    if cached is not None:
        return cached
    # The page asks for all classes at once: the first request refines, the others wait for what it found.
    with context.refining:
        planes = context.refined.get(key)
        if planes is None:
            planes = _refined_greys(context, image, prediction, logits)
            context.refined.put(key, planes)
    data = encode_png(planes[index])
    context.maps.put((*key, class_id), data)
    return data


def _refined_greys(
    context: AppContext, image: Image, prediction: Prediction, logits: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """255 x P of all classes (K, H, W)."""
    refinement = _fitted(context, image, prediction, logits)
    planes = np.empty((refinement.n_classes, image.height or 0, image.width or 0), np.uint8)

    def keep(rows: slice, band: npt.NDArray[np.float32]) -> None:
        planes[:, rows] = to_grey(band)

    refinement.each_band(keep)
    return planes


def _state_of(path: Path) -> tuple[int, ...]:
    """Size and time of last change; nothing of a file that cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_size, found.st_mtime_ns)


def _fitted(context: AppContext, image: Image, prediction: Prediction, logits: npt.NDArray[np.float32]) -> Refinement:
    grid = logits.shape[1:]
    # Its content is read where it changed, not hashed.
    path = image_path(context.config.image_root, image.path)
    guide_key = (image.id, image.content_hash, *_state_of(path), *grid)
    guide = context.guides.get(guide_key)
    if guide is None:
        guide = read_guide(context.config, image, grid)
        context.guides.put(guide_key, guide)
    with context.database.read() as db_session:
        points = list(db_session.scalars(select(Point).where(Point.image_id == image.id)))
    return refine_prediction(prediction, logits, guide, points)
