"""What a full run trains on: the labels of one moment, with the inputs that its head reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from db.enums import Split
from db.queries.session_info import HeadKind, TrainingSettings
from db.queries.training_data import LabelledImage, labelled_without_features
from ml_service.confidence_intervals import paired_gain
from ml_service.context import Context
from ml_service.data_loaders.base import (
    FloatArray,
    ImageSamples,
    Samples,
    balance,
    balanced_weights,
    classes_of,
    collect,
    in_split,
    said_by_people,
    teaching,
    tells_apart,
)
from ml_service.data_loaders.conflicts import soften_conflicts
from ml_service.data_snapshot import DataSnapshot
from ml_service.errors import NothingToLearnError
from ml_service.heads.base import prepare_inputs
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import fit_samples
from ml_service.metrics import Quality, measure, sample_losses
from ml_service.probability_calibration import ONE_CLASS, Output, fit_temperature
from ml_service.quality_figures import Figures, describe
from ml_service.training_loop import MAX_BATCH_VALUES, LoopState, Tensors, start_loop

IMAGES_PER_PAUSE = 100
CENTRE_CELL = 4
"""Of the 3 x 3 cells of a convolutional head: the point itself, which is all that the live head sees."""


@dataclass(frozen=True)
class Labels:
    """What people said, at one moment."""

    images: tuple[ImageSamples, ...]
    """With the inputs of the linear head."""
    class_ids: tuple[int, ...]
    """Classes that were not removed."""
    sequence: int
    """`SessionInfo.label_sequence`"""
    revisions: dict[int, int]


@dataclass(frozen=True)
class RunSetup:
    """Samples and settings of one run, as long as it learns from the same labels; nothing in it changes."""

    settings: TrainingSettings
    scaler: FeatureScaler
    class_ids: tuple[int, ...]
    missing_class_ids: tuple[int, ...]
    """Classes labelled on validation images only: a head of this run does not know them."""
    training: Samples
    held_out: Samples | None
    """Only what people said, on validation images; None without any."""
    class_weights: FloatArray
    """(K,)"""
    label_sequence: int
    revisions: dict[int, int]
    snapshot: DataSnapshot
    n_train_images: int
    live_quality: Quality | None
    """Of a live head of the same training labels on the same held-out ones."""
    live_logits: FloatArray | None = None
    """Its logits (N, K) there."""
    output: Output = ONE_CLASS
    group_of: tuple[int, ...] = ()
    """Groups of the classes, as in `TaskParts.group_of`."""

    def is_equal_to(self, other: RunSetup) -> bool:
        """Whether the same labels lie on the same images, in the same classes."""
        mine, theirs = (
            (setup.snapshot.hash, setup.class_ids, setup.missing_class_ids, setup.group_of) for setup in (self, other)
        )
        return mine == theirs


class RunInputs:
    """Reads what heads of one kind see of labelled images; again only where an annotation changed."""

    def __init__(self, context: Context, kind: HeadKind, pause: Callable[[], None]) -> None:
        """`pause` is called between two steps of some milliseconds; what it raises ends the work."""
        self.pause = pause
        self._reader = context.reader
        self._read = context.parts.read_inputs[kind]
        self._is_in_memory = self._read is context.parts.read_inputs[HeadKind.LINEAR]
        self._kept: dict[int, ImageSamples] = {}

    def of(self, images: Sequence[ImageSamples]) -> list[ImageSamples]:
        """The same images with this head's inputs."""
        if self._is_in_memory:
            return list(images)
        self._kept = {samples.image.id: self._one(samples) for samples in images}
        return list(self._kept.values())

    def _one(self, samples: ImageSamples) -> ImageSamples:
        kept = self._kept.get(samples.image.id)
        if kept is not None and kept.image.targets == samples.image.targets:
            return ImageSamples(samples.image, kept.inputs)
        self.pause()
        return ImageSamples(samples.image, self._read(self._reader, samples.image))


def labels_now(context: Context) -> Labels:
    """The labels in the context's training set as they are now."""
    training_set = context.training_set
    return Labels(tuple(training_set.images), training_set.class_ids, training_set.sequence, training_set.revisions)


def make_setup(
    context: Context,
    scaler: FeatureScaler | None,
    settings: TrainingSettings,
    names: dict[int, str],
    inputs: RunInputs,
    labels: Labels,
) -> RunSetup:
    """Fix what a run learns from.

    Args:
        names: of the classes, for messages.

    Raises:
        NothingToLearnError: the training images have no two classes.
        FeatureMismatchError: features of a labelled image cannot be read.
    """
    weight = settings.extracted_weight
    class_ids = classes_of(in_split(labels.images, Split.TRAIN), labels.class_ids, weight)
    if scaler is None or not tells_apart(in_split(labels.images, Split.TRAIN), class_ids):
        found = ", ".join(repr(names[class_id]) for class_id in class_ids) or "none"
        wanted = (
            f"labels of at least 2 classes on training images with features, found {found}"
            if context.parts.is_exclusive
            else "training images with features that differ in their classes"
        )
        raise NothingToLearnError(f"training needs {wanted}: {_remedy(context)}")
    images = inputs.of(labels.images)
    train_images = in_split(images, Split.TRAIN)
    training = collect(train_images, class_ids, weight)
    assert training is not None
    held_out = collect(said_by_people(in_split(images, Split.VALIDATION), context.parts.guesses), class_ids, weight)
    inputs.pause()
    softened = _soften(context, training, train_images, class_ids, weight)
    setup = RunSetup(
        settings=settings,
        scaler=scaler,
        class_ids=class_ids,
        missing_class_ids=tuple(set(classes_of(images, labels.class_ids, weight)).difference(class_ids)),
        training=softened,
        held_out=held_out,
        class_weights=balanced_weights(softened),
        label_sequence=labels.sequence,
        revisions=labels.revisions,
        snapshot=DataSnapshot.of(_paced(images, inputs.pause)),
        n_train_images=len(np.unique(training.image_ids)),
        live_quality=None,
        output=context.parts.output,
        group_of=tuple(context.parts.group_of(class_ids).tolist()),
    )
    if held_out is None:
        return setup
    # The live head learns from contradicting points one by one, here as everywhere.
    live = fit_samples(context.parts, scaler, _as_live_sees(training), class_ids, _never(inputs.pause))
    logits = live.logits(_as_live_sees(held_out).inputs)
    return replace(setup, live_quality=quality(setup, logits), live_logits=logits)


def _never(pause: Callable[[], None]) -> Callable[[], bool]:
    """`give_up` of a fit that pauses between its steps, and goes on unless the pause itself ends the work."""

    def give_up() -> bool:
        pause()
        return False

    return give_up


def _paced(images: Sequence[ImageSamples], pause: Callable[[], None]) -> Iterator[LabelledImage]:
    for number, samples in enumerate(images):
        if number % IMAGES_PER_PAUSE == 0:
            pause()
        yield samples.image


def start_run_loop(context: Context, setup: RunSetup) -> LoopState:
    """The loop before its first batch; all chance in it comes from the service's seed."""
    generator = torch.Generator().manual_seed(context.settings.seed)
    module = context.parts.new_module(setup.settings.head, setup.class_ids, generator)
    return start_loop(
        module,
        generator,
        learning_rate=setup.settings.learning_rate,
        patience=setup.settings.early_stop_patience,
        threshold=setup.settings.early_stop_threshold,
    )


def to_tensors(context: Context, setup: RunSetup, samples: Samples, pause: Callable[[], None]) -> Tensors:
    """Scaled inputs, and weights that let every class weigh the same in all.

    Args:
        pause: called between two parts of the inputs, as in `RunInputs`.
    """
    balanced = balance(samples, setup.class_weights) if setup.output.one_class else samples
    return Tensors(
        inputs=_scaled(context, setup, samples.inputs, pause),
        targets=torch.from_numpy(balanced.targets),
        weights=torch.from_numpy(balanced.weights),
    )


def _scaled(context: Context, setup: RunSetup, inputs: FloatArray, pause: Callable[[], None]) -> Tensor:
    count = max(1, MAX_BATCH_VALUES * len(inputs) // max(1, inputs.size))
    parts = []
    for start in range(0, len(inputs), count):
        pause()
        chosen = inputs[start : start + count]
        parts.append(prepare_inputs(chosen, setup.scaler, unit_norm=context.parts.live_config.unit_norm))
    return torch.cat(parts)


def quality(setup: RunSetup, held_out_logits: FloatArray) -> Quality:
    """Quality of logits (N, K) of the held-out samples, each of which counts once, as in every other comparison."""
    held_out = setup.held_out
    assert held_out is not None
    return measure(held_out_logits, held_out.targets, np.ones(len(held_out)), held_out.image_ids, setup.output)


def gain_over_live(setup: RunSetup, held_out_logits: FloatArray) -> tuple[float, float | None]:
    """By how much the loss is below that of the live head on the held-out samples, and its standard error."""
    held_out, live_logits = setup.held_out, setup.live_logits
    assert held_out is not None
    assert live_logits is not None
    losses = [sample_losses(logits, held_out.targets, setup.output) for logits in (live_logits, held_out_logits)]
    return paired_gain(losses[0] - losses[1], held_out.image_ids)


def held_out_temperature(setup: RunSetup, held_out_logits: FloatArray) -> float:
    """By what logits (N, K) of the held-out samples have to be divided so that they are not too sure; at least 1.

    Never less: the epoch was chosen on these samples, which let a head look surer than it may be.
    """
    held_out = setup.held_out
    assert held_out is not None
    logits, targets = (values.astype(np.float64) for values in (held_out_logits, held_out.targets))
    return max(1.0, fit_temperature(logits, targets, setup.output))


def figures(setup: RunSetup, held_out_logits: FloatArray) -> Figures:
    """Class by class, as `quality`: of an epoch that was chosen by the loss on these very samples."""
    held_out = setup.held_out
    assert held_out is not None
    found = describe(held_out_logits, held_out.targets, held_out.image_ids, setup.class_ids, setup.output)
    return replace(found, selected_on_these=True)


def _soften(
    context: Context,
    training: Samples,
    images: Sequence[ImageSamples],
    class_ids: tuple[int, ...],
    extracted_weight: float,
) -> Samples:
    read_cells = context.parts.read_cells
    if read_cells is None:
        return training
    cells = [
        read_cells(context.extractor, samples.image)[chosen]
        for samples in images
        if (chosen := teaching(samples.image, class_ids, extracted_weight))
    ]
    return soften_conflicts(training, np.concatenate(cells))


def _as_live_sees(samples: Samples) -> Samples:
    return samples if samples.inputs.ndim == 2 else replace(samples, inputs=samples.inputs[:, CENTRE_CELL])


def _remedy(context: Context) -> str:
    with context.db.read() as db_session:
        waiting = labelled_without_features(db_session)
    if not waiting:
        return "label more images, then save again"
    images = "1 labelled image is" if waiting == 1 else f"{waiting} labelled images are"
    return f"{images} still being prepared, save again in a moment"
