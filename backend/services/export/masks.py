"""The class of each pixel, from the newest prediction."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backend.services.export.source import ExportedImage
from backend.services.prediction_maps import read_guide, refine_prediction
from backend.services.session_snapshot import SessionSnapshot
from db.errors import ConflictError, NotFoundError
from models.errors import ImageReadError
from models.prediction_store import read_map

logger = logging.getLogger(__name__)

MaskReader = Callable[[ExportedImage], "Mask | None"]


class Mask:
    """A label map (H, W) of indices into `class_ids`."""

    def __init__(self, indices: npt.NDArray[np.unsignedinteger], class_ids: list[int]) -> None:
        self.indices = indices
        self.class_ids = class_ids

    def of_class(self, class_id: int) -> npt.NDArray[np.bool_]:
        """Where the class is, (H, W)."""
        return np.asarray(self.indices == self.class_ids.index(class_id))


def read_mask(session: SessionSnapshot, exported: ExportedImage) -> Mask | None:
    """The most probable class of each pixel, as the full-size maps show it; None without prediction or picture.

    Classes that were removed are left out: their pixels go to the most probable one that is left.
    """
    image, prediction = exported.image, exported.prediction
    if prediction is None or prediction.map_path is None or image.width is None or image.height is None:
        return None
    kept = [index for index, class_id in enumerate(prediction.class_ids) if class_id in session.class_ids]
    if not kept:
        return None
    try:
        logits = read_map(session.session_dir, prediction.map_path)
        guide = read_guide(session, image, logits.shape[1:])
    except (FileNotFoundError, NotFoundError, ConflictError, ImageReadError) as error:
        logger.warning("no mask of image %s in the export: %s", image.id, error)
        return None
    refinement = refine_prediction(prediction, logits, guide, exported.points)
    return Mask(refinement.label_map(kept), [prediction.class_ids[index] for index in kept])
