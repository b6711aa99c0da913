"""A saved head applied to image files: in a program by `load_model`, on the command line by `fewclick predict`.

from fewclick.apply import load_model

model = load_model("my_model")                 # written by `fewclick checkpoints export ID my_model`
for found in model.predict(["a.jpg", "b.jpg"]):
    print(found.path, found.shares(model.class_names))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db.errors import FewclickError, InvalidInputError
from db.tasks import Task, find_task
from fewclick.checkpoint_export import ADAPTER_FILE, DESCRIPTION_FILE, HEAD_FILE, MODEL_FILE
from ml_service.checkpoint_description import Description, read_json_file
from ml_service.errors import CheckpointError
from models.base import ExtractorInfo, FeatureExtractor
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings, tell_differences
from models.guide import make_guide
from models.images import read_image
from models.preprocessing import preprocessing_of, with_preprocessing
from models.refinement import fit_refinement

if TYPE_CHECKING:
    from ml_service.heads.base import Head
    from ml_service.task_factory import TaskParts


class ModelError(FewclickError):
    """A head cannot be loaded or applied."""


@dataclass(frozen=True)
class Found:
    """What a model says of one image."""

    path: Path
    probabilities: npt.NDArray[np.float32]
    """(K,): of each class; of a mask, the share of the image that it covers."""
    mask: npt.NDArray[np.unsignedinteger] | None
    """(H, W) of the upright image: index of the most probable class; None where whole images are classified."""

    def shares(self, names: Sequence[str]) -> dict[str, float]:
        """By the name of the class."""
        return {name: float(p) for name, p in zip(names, self.probabilities, strict=True)}


@dataclass(frozen=True)
class Model:
    """A head with the extractor that makes its features."""

    description: Description
    task: Task
    extractor: FeatureExtractor
    head: Head
    parts: TaskParts

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of `Found.probabilities`, and of the values in masks."""
        return self.description.class_names

    def predict(self, paths: Iterable[Path | str]) -> Iterator[Found]:
        """One image after the other.

        Raises:
            ImageReadError: a file is no image.
        """
        preprocessing = preprocessing_of(self.extractor.info.options)
        for path in map(Path, paths):
            yield self._predict(path, read_image(path, preprocessing=preprocessing))

    def _predict(self, path: Path, picture: npt.NDArray[np.uint8]) -> Found:
        wants_map = self.task.reads_patches
        (features,) = self.extractor.extract([picture], patches=wants_map, pooled=not wants_map)
        if wants_map:
            assert features.patches is not None
            logits = np.moveaxis(self.head.logits(_as_stored(features.patches)), -1, 0)
            mask = fit_refinement(logits, make_guide(picture, logits.shape[1:])).label_map()
            counts = np.bincount(mask.ravel(), minlength=len(self.class_names))
            return Found(path, (counts / mask.size).astype(np.float32), mask)
        assert features.pooled is not None
        logits = self.head.logits(_as_stored(features.pooled)[None])
        probabilities = self.parts.output.probabilities(logits.astype(np.float64))[0]
        return Found(path, probabilities.astype(np.float32), None)


def load_model(folder: Path | str, *, weights: Path | str | None = None) -> Model:
    """A model from a folder that `fewclick checkpoints export` wrote.

    Args:
        weights: of the extractor, unless it is the embedded one: Meta's .pth file or a Hugging Face folder.

    Raises:
        ModelError: it is no such folder, or damaged.
        WeightsError: the weights are not those that the head was trained with.
    """
    folder = Path(folder)
    try:
        content: dict[str, Any] = json.loads((folder / MODEL_FILE).read_bytes())
        settings = content["features"]
        layers = settings["layers"]
        wanted = ExtractorSettings(
            weights_path=None if weights is None else Path(weights),
            extractor=settings["extractor"],
            layers=None if layers is None else tuple(int(layer) for layer in layers),
            adapter_path=folder / ADAPTER_FILE if settings.get("adapter") else None,
        )
        task = find_task(str(content["task"]))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no {MODEL_FILE}: name a folder of `fewclick checkpoints export`") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder / MODEL_FILE} is not of this program ({error}): export the checkpoint again"
        ) from error
    return assemble(folder / HEAD_FILE, folder / DESCRIPTION_FILE, task, wanted)


def assemble(head_file: Path, description_file: Path, task: Task, settings: ExtractorSettings) -> Model:
    """A model from its parts; the features are made just as those that the head was trained on.

    Raises:
        ModelError: the head cannot be loaded.
        WeightsError: the settings give another extractor.
    """
    # Torch takes seconds to import: a wrong path is told before.
    try:
        description = read_json_file(description_file).description
        info = ExtractorInfo.from_json(description.extractor)
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(f"{description_file}: the extractor is not described as expected ({error})") from error
    if description.task not in (None, task.name):
        raise ModelError(f"{description_file} is of the task {description.task}, expected {task.name}")
    from ml_service.checkpoint import load_head_file
    from ml_service.task_factory import make_task_parts

    extractor = _load_extractor(settings, info)
    parts = make_task_parts(task, info)
    try:
        head, description = load_head_file(head_file, parts, info, task)
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    return Model(description, task, extractor, head, parts)


def image_files(named: Sequence[Path]) -> list[Path]:
    """Files as named; of a folder, the pictures in it by name.

    Raises:
        InvalidInputError: there is no such file, or a folder without any.
    """
    from initialization.config import DEFAULT_FORMATS

    found: list[Path] = []
    for path in named:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower().lstrip(".") in DEFAULT_FORMATS)
            if not inside:
                raise InvalidInputError(f"{path} holds no image ({', '.join(DEFAULT_FORMATS)})")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InvalidInputError(f"{path}: there is no such file or folder")
    return found


def _load_extractor(settings: ExtractorSettings, info: ExtractorInfo) -> FeatureExtractor:
    from dataclasses import replace

    from models.registry import load_extractor

    named = replace(settings.as_in(info), resize=info.resize)
    extractor = with_preprocessing(load_extractor(named), preprocessing_of(info.options))
    if json.dumps(extractor.info.to_json()) != json.dumps(info.to_json()):
        raise WeightsError(
            f"the head reads features of {info.name}, found others ({tell_differences(info, extractor.info)}): "
            "name the same weights with --weights"
        )
    return extractor


def _as_stored(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Features as a session keeps them, so that the same image gives the same answer."""
    return features.astype(np.float16).astype(np.float32)
