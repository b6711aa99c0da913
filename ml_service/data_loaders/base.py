"""Training samples: what a task's data loader makes of labels and features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from db.enums import Origin, Split
from db.queries.training_data import LabelledImage
from ml_service.feature_reader import FeatureReader

FloatArray = npt.NDArray[np.float32]
MEASURED_CELLS = 5
"""Of each class of an image."""
ReadInputs = Callable[[FeatureReader, LabelledImage], FloatArray]
"""Inputs (n, ...) of an image's targets, in their order."""


@dataclass(frozen=True)
class ImageSamples:
    """The targets of one image with their inputs."""

    image: LabelledImage
    inputs: FloatArray
    """(n, ...), one for each of the image's targets."""


@dataclass(frozen=True)
class Samples:
    """N labelled inputs, ordered by image and place, whatever the order in which they were labelled."""

    inputs: FloatArray
    """(N, ...)"""
    targets: FloatArray
    """(N, K), for each of the class ids that they were collected for: how much of it holds, 0..1; NaN where nobody
    was asked. Where classes exclude each other, rows sum to 1."""
    weights: FloatArray
    """(N,), positive."""
    image_ids: npt.NDArray[np.intp]
    """(N,)"""

    @property
    def class_index(self) -> npt.NDArray[np.intp]:
        """The foremost class (N,) of each, into the list of class ids."""
        foremost: npt.NDArray[np.intp] = self.targets.argmax(axis=1)
        return foremost

    def __len__(self) -> int:
        return len(self.targets)


def collect(images: Iterable[ImageSamples], class_ids: Sequence[int], extracted_weight: float) -> Samples | None:
    """The samples of `images` that belong to one of `class_ids`; None if there are none.

    An image that is answered for all classes at once is one sample.

    Args:
        extracted_weight: what a point that was extracted from a prediction, and a cell of an accepted one, counts,
            against 1 for a person's; with 0 it is left out.
    """
    index_of = {class_id: index for index, class_id in enumerate(class_ids)}
    images = list(images)
    if any(samples.image.answered for samples in images):
        return _collect_answers(images, class_ids)
    inputs, class_index, weights, image_ids = [], [], [], []
    for samples in images:
        chosen = teaching(samples.image, index_of, extracted_weight)
        for target in (samples.image.targets[position] for position in chosen):
            class_index.append(index_of[target.class_id])
            weights.append(target.weight * (extracted_weight if target.is_guess else 1.0))
            image_ids.append(samples.image.id)
        if chosen:
            inputs.append(samples.inputs[chosen])
    if not inputs:
        return None
    return Samples(
        inputs=np.concatenate(inputs),
        targets=one_hot(class_index, len(class_ids)),
        weights=np.array(weights, dtype=np.float32),
        image_ids=np.array(image_ids, dtype=np.intp),
    )


def _collect_answers(images: Iterable[ImageSamples], class_ids: Sequence[int]) -> Samples | None:
    answers = [
        samples for samples in images if samples.image.answered and not set(class_ids) <= set(samples.image.unasked)
    ]
    if not answers:
        return None
    return Samples(
        inputs=np.concatenate([samples.inputs for samples in answers]),
        targets=np.stack([answer_targets(samples.image, class_ids) for samples in answers]),
        weights=np.ones(len(answers), dtype=np.float32),
        image_ids=np.array([samples.image.id for samples in answers], dtype=np.intp),
    )


def answer_targets(image: LabelledImage, class_ids: Sequence[int]) -> FloatArray:
    """(K,) of an image that is answered for all classes at once, as in `Samples`."""
    held = {target.class_id for target in image.targets}
    unasked = set(image.unasked)
    return np.array([np.nan if class_id in unasked else class_id in held for class_id in class_ids], np.float32)


def teaching(image: LabelledImage, class_ids: Collection[int], extracted_weight: float) -> list[int]:
    """Positions of those targets of an image that `collect` takes."""
    return [
        position
        for position, target in enumerate(image.targets)
        if target.class_id in class_ids and (not target.is_guess or extracted_weight > 0)
    ]


def one_hot(class_index: Sequence[int], n_classes: int) -> FloatArray:
    """Targets (N, K) of samples of which one class holds and no other."""
    targets = np.zeros((len(class_index), n_classes), dtype=np.float32)
    targets[np.arange(len(class_index)), np.asarray(class_index, dtype=np.intp)] = 1.0
    return targets


def classes_of(images: Iterable[ImageSamples], present: Sequence[int], extracted_weight: float) -> tuple[int, ...]:
    """Those of the classes `present` that have a sample with any weight, by id; all where images are answered."""
    images = list(images)
    if any(samples.image.answered for samples in images):
        return tuple(sorted(present))
    found = {
        target.class_id
        for samples in images
        for target in samples.image.targets
        if not target.is_guess or extracted_weight > 0
    }
    return tuple(sorted(found.intersection(present)))


def tells_apart(images: Iterable[ImageSamples], class_ids: Sequence[int]) -> bool:
    """Whether there is a difference to learn: two classes, or two different answers."""
    answers = {
        frozenset(target.class_id for target in samples.image.targets).intersection(class_ids)
        for samples in images
        if samples.image.answered
    }
    return len(answers) > 1 if answers else len(class_ids) > 1


def in_split(images: Iterable[ImageSamples], split: Split) -> list[ImageSamples]:
    """The images of one part of the labelled ones. An image without a part trains: it cannot have been held out."""
    return [samples for samples in images if (samples.image.split or Split.TRAIN) is split]


def said_by_people(images: Iterable[ImageSamples], guesses: Collection[Origin]) -> list[ImageSamples]:
    """Only what people said: a model's own guesses are no measure of it.

    Of regions a few cells of each class are left, as many as people click: a stroke must not outweigh the clicks.

    Args:
        guesses: Origins that count as a model's: see `TaskParts.guesses`.
    """
    kept = []
    for samples in images:
        if samples.image.answered:
            # As a whole, or not at all: it has one input.
            if not any(target.origin in guesses for target in samples.image.targets):
                kept.append(samples)
            continue
        said = [i for i, target in enumerate(samples.image.targets) if target.origin not in guesses]
        chosen = _few_cells(samples.image, said)
        targets = tuple(samples.image.targets[i] for i in chosen)
        kept.append(ImageSamples(replace(samples.image, targets=targets), samples.inputs[chosen]))
    return kept


def _few_cells(image: LabelledImage, positions: Sequence[int]) -> list[int]:
    cells = [position for position in positions if image.targets[position].is_cell]
    if not cells:
        return list(positions)
    kept = set(positions).difference(cells)
    for class_id in {image.targets[position].class_id for position in cells}:
        of_class = [position for position in cells if image.targets[position].class_id == class_id]
        count = min(MEASURED_CELLS, len(of_class))
        kept.update(of_class[(2 * n + 1) * len(of_class) // (2 * count)] for n in range(count))
    return sorted(kept)


def balanced_weights(samples: Samples) -> FloatArray:
    """Factor for each class (K,), so that each one present weighs as much as any other in all."""
    totals = samples.weights.astype(np.float64) @ np.nan_to_num(samples.targets.astype(np.float64))
    present = totals > 0
    factors = np.zeros(len(totals), dtype=np.float32)
    factors[present] = totals.sum() / (present.sum() * totals[present])
    return factors


def balance(samples: Samples, factors: FloatArray) -> Samples:
    """The same samples with each class weighed by its factor (K,), where classes exclude each other.

    A soft target is weighed class by class: its cross-entropy becomes the sum over k of factor x target x -log p.
    """
    shares = samples.targets * factors
    totals = shares.sum(axis=1)
    known = np.where(totals > 0, totals, 1.0).astype(np.float32)
    return replace(samples, targets=shares / known[:, None], weights=samples.weights * totals)
