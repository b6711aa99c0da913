"""The class of each pixel, from regions, from the newest prediction, or from both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.schemas.export import MaskSource
from backend.services.export.source import ExportedImage
from backend.services.prediction_maps import read_guide, refine_prediction
from backend.services.region_edits import label_map
from backend.services.session_snapshot import SessionSnapshot
from db.errors import ConflictError, NotFoundError
from db.tables.learning import Prediction
from models.errors import ImageReadError
from models.prediction_store import read_map
from models.region_shapes import shape_of

logger = logging.getLogger(__name__)

MaskReader = Callable[[ExportedImage], "Mask | None"]


class Mask:
    """A label map (H, W) of indices into `class_ids`; one that is beyond its end is no class."""

    def __init__(self, indices: npt.NDArray[np.unsignedinteger], class_ids: list[int]) -> None:
        self.indices = indices
        self.class_ids = class_ids

    def of_class(self, class_id: int) -> npt.NDArray[np.bool_]:
        """Where the class is, (H, W)."""
        return np.asarray(self.indices == self.class_ids.index(class_id))


def read_mask(session: SessionSnapshot, exported: ExportedImage, source: MaskSource | None = None) -> Mask | None:
    """The class of each pixel; None where nothing is known of the image.

    Args:
        source: None for the regions of an image, and for its prediction where it has none.
    """
    says_regions = any(one.region.class_id is not None for one in exported.regions)
    if source is None:
        source = MaskSource.ANNOTATED if says_regions else MaskSource.PREDICTED
    if source is MaskSource.ANNOTATED:
        return _annotated(session, exported) if says_regions else None
    predicted = read_prediction(session, exported)
    if source is MaskSource.PREDICTED or not says_regions:
        return predicted
    annotated = _annotated(session, exported)
    return annotated if predicted is None else _merged(annotated, predicted)


def _annotated(session: SessionSnapshot, exported: ExportedImage) -> Mask:
    class_ids = [label_class.id for label_class in session.classes]
    painted = [(shape_of(one.shape.kind, one.shape.geometry), one.region.class_id) for one in exported.regions]
    labels = label_map(painted, class_ids, exported.image.width or 0, exported.image.height or 0)
    indices = np.where(labels > 0, labels - 1, len(class_ids))
    return Mask(indices.astype(np.uint16 if len(class_ids) > 255 else np.uint8), class_ids)


def _merged(annotated: Mask, predicted: Mask) -> Mask:
    of_predicted = np.array([annotated.class_ids.index(k) for k in predicted.class_ids], annotated.indices.dtype)
    is_said = annotated.indices < len(annotated.class_ids)
    return Mask(np.where(is_said, annotated.indices, of_predicted[predicted.indices]), annotated.class_ids)


def read_prediction(session: SessionSnapshot, exported: ExportedImage) -> Mask | None:
    """The most probable class of each pixel, as the full-size maps show it; None without prediction or picture.

    Classes that were removed are left out: their pixels go to the most probable one that is left.
    """
    image = exported.image
    if exported.prediction is None or image.width is None or image.height is None:
        return None
    try:
        prediction, logits = _read_newest(session.session_dir, exported)
        kept = [index for index, class_id in enumerate(prediction.class_ids) if class_id in session.class_ids]
        if not kept:
            return None
        guide = read_guide(session, image, logits.shape[1:])
    except (FileNotFoundError, NotFoundError, ConflictError, ImageReadError) as error:
        logger.warning("no mask of image %s in the export: %s", image.id, error)
        return None
    refinement = refine_prediction(prediction, logits, guide, exported.points)
    return Mask(refinement.label_map(kept), [prediction.class_ids[index] for index in kept])


def _read_newest(session_dir: Path, exported: ExportedImage) -> tuple[Prediction, npt.NDArray[np.float32]]:
    """The prediction and its logits (K, Hp, Wp); the one that replaced it where the head has learned since.

    Raises:
        FileNotFoundError: its map is gone, and no other one took its place.
    """
    prediction, missing = exported.prediction, ""
    while prediction is not None and prediction.map_path not in (None, missing):
        try:
            return prediction, read_map(session_dir, prediction.map_path)
        except FileNotFoundError:
            missing = prediction.map_path
            prediction = exported.newest_prediction()
    raise FileNotFoundError(f"{missing or 'the map of its prediction'} is gone: it has to be predicted again")
