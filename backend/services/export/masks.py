"""The class of each pixel, from the newest prediction."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backend.services.export.source import ExportedImage
from backend.services.prediction_maps import full_size_levels, read_guide, refined_probability
from backend.services.session_snapshot import SessionSnapshot
from db.errors import NotFoundError
from models.errors import ImageReadError
from models.prediction_store import read_map

logger = logging.getLogger(__name__)

MaskReader = Callable[[ExportedImage], "Mask | None"]


class Mask:
    """A label map (H, W) uint8 of indices into `class_ids`."""

    def __init__(self, indices: npt.NDArray[np.uint8], class_ids: list[int]) -> None:
        self.indices = indices
        self.class_ids = class_ids

    def of_class(self, class_id: int) -> npt.NDArray[np.bool_]:
        """Where the class is, (H, W)."""
        return np.asarray(self.indices == self.class_ids.index(class_id))


def read_mask(session: SessionSnapshot, exported: ExportedImage, max_work_side: int) -> Mask | None:
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
        logits = read_map(session.session_dir, prediction.map_path)[kept]
        guide = read_guide(session, image, max_work_side, logits)
    except (FileNotFoundError, NotFoundError, ImageReadError) as error:
        logger.warning("no mask of image %s in the export: %s", image.id, error)
        return None
    best = np.zeros((image.height, image.width), np.uint8)
    highest = _full_size(logits, 0, guide, image.width, image.height)
    for index in range(1, len(kept)):
        found = _full_size(logits, index, guide, image.width, image.height)
        best[found > highest] = index
        highest = np.maximum(found, highest)
    return Mask(best, [prediction.class_ids[index] for index in kept])


def _full_size(
    logits: npt.NDArray[np.float32], index: int, guide: npt.NDArray[np.uint8], width: int, height: int
) -> npt.NDArray[np.float32] | npt.NDArray[np.uint16]:
    """(height, width): the higher, the more probable is the class there."""
    probability = refined_probability(logits, index, guide)
    same_size = probability.shape == (height, width)
    return probability if same_size else full_size_levels(probability, width, height)
