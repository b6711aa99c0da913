"""What a fine-tuning run learns from: fixed at its start, and kept as a file for the process that does the work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from db.enums import Split
from db.queries.session_info import FinetuneSettings, TrainingSettings
from ml_service.data_loaders.base import (
    FloatArray,
    ImageSamples,
    Samples,
    classes_of,
    collect,
    in_split,
    said_by_people,
)
from ml_service.errors import NothingToLearnError
from ml_service.task_factory import TaskParts
from models.atomic_file import write_atomically
from models.base import ExtractorInfo
from models.extractor_settings import ExtractorSettings

PLAN_NAME = "plan.json"
FORMAT_VERSION = 2
"""Of this file and of the state beside it: what an earlier version has begun begins anew."""


@dataclass(frozen=True)
class PlannedImage:
    """A labelled image."""

    id: int
    path: str
    """Absolute."""
    content_hash: str
    width: int
    height: int
    """Upright, pixels."""


@dataclass(frozen=True)
class Plan:
    """All that the process needs; it never asks the database."""

    task: str
    class_ids: tuple[int, ...]
    extractor: ExtractorInfo
    """That of the session, whose features the run is to beat."""
    weights: ExtractorSettings
    """How it is loaded."""
    images: tuple[PlannedImage, ...]
    training: Samples
    held_out: Samples
    """Only what people said. `inputs` of both are places (N, 2) as x, y in image pixels; 0, 0 for whole images."""
    settings: FinetuneSettings
    threshold: float
    """Least improvement of the held-out loss that counts."""
    seed: int
    facts: dict[str, Any]
    """What the result is described by: hash of the data, revisions by image id, label sequence."""

    def write(self, folder: Path) -> None:
        """Keep it, durably."""
        data = {
            "format_version": FORMAT_VERSION,
            "task": self.task,
            "class_ids": self.class_ids,
            "extractor": self.extractor.to_json(),
            "weights": {key: _plain(value) for key, value in asdict(self.weights).items()},
            "images": [asdict(image) for image in self.images],
            "training": _samples_to_json(self.training),
            "held_out": _samples_to_json(self.held_out),
            "settings": self.settings.model_dump(mode="json"),
            "threshold": self.threshold,
            "seed": self.seed,
            "facts": self.facts,
        }
        write_atomically(folder / PLAN_NAME, json.dumps(data).encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Inverse of `write`.

        Raises:
            OSError, ValueError, KeyError, TypeError: there is none that this version wrote.
        """
        data = json.loads((folder / PLAN_NAME).read_bytes())
        if data.pop("format_version") != FORMAT_VERSION:
            raise ValueError("the plan is of another version")
        paths = {key: data["weights"][key] for key in ("weights_path", "dinov3_repo", "adapter_path")}
        weights = data["weights"] | {key: None if path is None else Path(path) for key, path in paths.items()}
        weights["layers"] = None if weights["layers"] is None else tuple(weights["layers"])
        return cls(
            task=data["task"],
            class_ids=tuple(data["class_ids"]),
            extractor=ExtractorInfo.from_json(data["extractor"]),
            weights=ExtractorSettings(**weights),
            images=tuple(PlannedImage(**image) for image in data["images"]),
            training=_samples_from_json(data["training"]),
            held_out=_samples_from_json(data["held_out"]),
            settings=FinetuneSettings.model_validate(data["settings"]),
            threshold=data["threshold"],
            seed=data["seed"],
            facts=data["facts"],
        )


def make_plan(
    images: Sequence[ImageSamples],
    present: Sequence[int],
    parts: TaskParts,
    settings: TrainingSettings,
    *,
    task: str,
    extractor: ExtractorInfo,
    weights: ExtractorSettings,
    paths: dict[int, Path],
    seed: int,
    least_held_out: int,
    facts: dict[str, Any],
) -> Plan:
    """The labels as they are now.

    Args:
        least_held_out: Validation images with labels, below which nothing can be said of what is better.
        images: Of both splits.
        present: Class ids that were not removed.
        paths: Of the images' files, by image id.

    Raises:
        NothingToLearnError: too few labels; says how many there are and how many are needed.
    """
    located = [_at_places(samples) for samples in images]
    train_images = in_split(located, Split.TRAIN)
    class_ids = classes_of(train_images, present, settings.extracted_weight)
    training = collect(train_images, class_ids, settings.extracted_weight)
    held_out_images = said_by_people(in_split(located, Split.VALIDATION), parts.guesses)
    held_out = collect(held_out_images, class_ids, settings.extracted_weight)
    found = 0 if held_out is None else len(set(held_out.image_ids.tolist()))
    if training is None or len(class_ids) < 2:
        raise NothingToLearnError(
            f"fine-tuning needs labels of at least 2 classes on training images with features, found {len(class_ids)}: "
            "label more images, then start it again"
        )
    if held_out is None or found < least_held_out:
        raise NothingToLearnError(
            f"fine-tuning needs labels on at least {least_held_out} validation images, to be compared with the frozen "
            f"features, found {found}: label more images, then start it again"
        )
    used = {int(image_id) for samples in (training, held_out) for image_id in samples.image_ids}
    return Plan(
        task=task,
        class_ids=class_ids,
        extractor=extractor,
        weights=weights,
        images=tuple(
            PlannedImage(image.id, str(paths[image.id]), image.content_hash or "", image.width, image.height)
            for image in (samples.image for samples in located)
            if image.id in used
        ),
        training=training,
        held_out=held_out,
        settings=settings.finetune,
        threshold=settings.early_stop_threshold,
        seed=seed,
        facts=facts,
    )


def _at_places(samples: ImageSamples) -> ImageSamples:
    """Places instead of features; an image that is answered as a whole has one, whatever the answer."""
    image = samples.image
    places = [(0.0, 0.0)] if image.answered else [(t.x, t.y) for t in image.targets[: len(samples.inputs)]]
    return ImageSamples(samples.image, np.asarray(places, dtype=np.float32).reshape(-1, 2))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _samples_to_json(samples: Samples) -> dict[str, Any]:
    return {
        "places": samples.inputs.tolist(),
        "targets": samples.targets.tolist(),
        "weights": samples.weights.tolist(),
        "image_ids": samples.image_ids.tolist(),
    }


def _samples_from_json(data: dict[str, Any]) -> Samples:
    def floats(key: str, width: int | None = None) -> FloatArray:
        array = np.asarray(data[key], dtype=np.float32)
        return array if width is None else array.reshape(-1, width)

    return Samples(
        inputs=floats("places", 2),
        targets=floats("targets"),
        weights=floats("weights"),
        image_ids=np.asarray(data["image_ids"], dtype=np.intp),
    )
