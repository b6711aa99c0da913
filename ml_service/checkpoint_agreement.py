"""How often two heads say the same, on images drawn at random, labelled or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from db.queries.training_data import ImageRef
from ml_service.context import Context
from ml_service.predictors.base import ImagePrediction, Model
from models.errors import FeatureMismatchError

MAP_IMAGES, VECTOR_IMAGES = 12, 500
"""Images that are asked: for maps, and for classes of whole images."""
Attend = Callable[[], None]
"""Called between two images: whoever waits for an answer gets it first."""


def agreement(
    context: Context, models: Sequence[Model], shared: Sequence[int], sample: Sequence[ImageRef], attend: Attend
) -> dict[str, Any] | None:
    """Share of cells, or of images, for which both would say the same class; None without images.

    Where several classes may hold, the share of answers, one for each image and class that both know.

    Args:
        shared: ids of the classes that both know.
    """
    say = _foremost if context.parts.output.one_class else partial(_answers, shared=shared)
    same = total = n_images = 0
    size = context.parts.predictor.chunk_size
    for start in range(0, len(sample), size):
        attend()
        images = sample[start : start + size]
        try:
            said = [context.parts.predictor.predict(model, context.reader, images, keep=False) for model in models]
        except FeatureMismatchError:
            continue
        for a, b in zip(*said, strict=True):
            equal = say(a, models[0].class_ids) == say(b, models[1].class_ids)
            same, total, n_images = same + int(equal.sum()), total + equal.size, n_images + 1
    if total == 0:
        return None
    images_or_answers = "images" if context.parts.output.one_class else "answers"
    what = "cells" if context.task.reads_patches else images_or_answers
    return {"share": same / total, "n_images": n_images, "of": what}


def _answers(prediction: ImagePrediction, class_ids: Sequence[int], shared: Sequence[int]) -> npt.NDArray[np.intp]:
    """Which of the classes hold (K,), 0 or 1."""
    assert prediction.probabilities is not None
    said = dict(zip(class_ids, prediction.probabilities, strict=True))
    return np.array([said[class_id] > 0.5 for class_id in shared], dtype=np.intp)


def _foremost(prediction: ImagePrediction, class_ids: Sequence[int]) -> npt.NDArray[np.intp]:
    """Id of the most probable class of each cell (Hp, Wp), or of the image ()."""
    if prediction.logits is None:
        return np.asarray(prediction.predicted_class_id, dtype=np.intp)
    foremost: npt.NDArray[np.intp] = np.asarray(class_ids, dtype=np.intp)[prediction.logits.argmax(axis=0)]
    return foremost
