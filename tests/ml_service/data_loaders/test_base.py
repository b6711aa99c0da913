from __future__ import annotations

import numpy as np

from db.enums import Origin, Split
from db.queries.training_data import LabelledImage, Target
from ml_service.data_loaders.base import (
    ImageSamples,
    balanced_weights,
    classes_of,
    collect,
    in_split,
    said_by_people,
)


def _image(image_id: int, *targets: tuple[int, Origin], split: Split | None = Split.TRAIN) -> ImageSamples:
    placed = tuple(Target(class_id, origin, float(n)) for n, (class_id, origin) in enumerate(targets))
    image = LabelledImage(image_id, f"hash{image_id}", 10, 10, 1, 1, split, True, placed)
    inputs = np.array([[image_id, n] for n in range(len(targets))], dtype=np.float32).reshape(-1, 2)
    return ImageSamples(image, inputs)


IMAGES = [
    _image(1, (7, Origin.HUMAN), (9, Origin.EXTRACTED)),
    _image(2, (9, Origin.ACCEPTED), (5, Origin.HUMAN), split=Split.VALIDATION),
    _image(3, (8, Origin.EXTRACTED), split=None),
]


def test_collect__weighs_extracted_points_less_and_leaves_other_classes_out() -> None:
    samples = collect(IMAGES, (7, 8, 9), 0.25)
    assert samples is not None
    assert samples.inputs.tolist() == [[1, 0], [1, 1], [2, 0], [3, 0]]
    assert samples.class_index.tolist() == [0, 2, 2, 1]
    assert samples.weights.tolist() == [1, 0.25, 1, 0.25]
    assert samples.image_ids.tolist() == [1, 1, 2, 3]


def test_collect__without_weight_extracted_points_are_absent() -> None:
    samples = collect(IMAGES, (7, 8, 9), 0.0)
    assert samples is not None
    assert samples.class_index.tolist() == [0, 2]
    assert collect(IMAGES, (8,), 0.0) is None


def test_classes_of__present_ones_with_any_weight() -> None:
    assert classes_of(IMAGES, (5, 7, 8, 9), 0.3) == (5, 7, 8, 9)
    assert classes_of(IMAGES, (7, 8, 9), 0.0) == (7, 9)


def test_in_split__an_image_without_a_part_trains() -> None:
    assert [samples.image.id for samples in in_split(IMAGES, Split.TRAIN)] == [1, 3]
    assert [samples.image.id for samples in in_split(IMAGES, Split.VALIDATION)] == [2]


def test_said_by_people__leaves_out_what_a_model_set() -> None:
    kept = said_by_people(IMAGES, {Origin.EXTRACTED})
    assert [[target.class_id for target in samples.image.targets] for samples in kept] == [[7], [9, 5], []]
    assert kept[0].inputs.tolist() == [[1, 0]]


def test_balanced_weights__each_class_weighs_the_same() -> None:
    samples = collect(IMAGES, (7, 8, 9, 4), 0.25)
    assert samples is not None
    factors = balanced_weights(samples)
    totals = np.bincount(samples.class_index, weights=samples.weights * factors[samples.class_index], minlength=4)
    np.testing.assert_allclose(totals, [2.5 / 3, 2.5 / 3, 2.5 / 3, 0], rtol=1e-6)
