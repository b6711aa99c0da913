"""What a full run trains on, fixed at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from db.models import Split
from db.queries.session_info import HeadKind, TrainingSettings
from db.queries.training_data import labelled_without_features
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
)
from ml_service.data_snapshot import DataSnapshot
from ml_service.errors import NothingToLearnError
from ml_service.heads.base import prepare_inputs
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import fit_samples
from ml_service.metrics import Quality, measure
from ml_service.training_loop import LoopState, Tensors, start_loop

CENTRE_CELL = 4
"""Of the 3 x 3 cells of a nonlinear head: the point itself, which is all that the live head sees."""


@dataclass(frozen=True)
class RunSetup:
    """Samples and settings of one run; nothing in it changes while the run goes on."""

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
    """Of a live head of the same training samples on the same held-out ones."""


def make_setup(
    context: Context, scaler: FeatureScaler | None, settings: TrainingSettings, names: dict[int, str]
) -> RunSetup:
    """Fix what a run learns from: the labels in the context's training set as they are now.

    Args:
        names: of the classes, for messages.

    Raises:
        NothingToLearnError: the training images have no two classes.
        FeatureMismatchError: features of a labelled image cannot be read.
    """
    images = context.training_set.images
    present = context.training_set.class_ids
    train_images = in_split(images, Split.TRAIN)
    class_ids = classes_of(train_images, present, settings.extracted_weight)
    if scaler is None or len(class_ids) < 2:
        found = ", ".join(repr(names[class_id]) for class_id in class_ids) or "none"
        raise NothingToLearnError(
            f"training needs labels of at least 2 classes on training images with features, found {found}: "
            + _remedy(context)
        )
    training = collect(_inputs_for(context, settings.head, train_images), class_ids, settings.extracted_weight)
    assert training is not None
    held_out_images = said_by_people(in_split(images, Split.VALIDATION), context.parts.guesses)
    held_out = collect(_inputs_for(context, settings.head, held_out_images), class_ids, settings.extracted_weight)
    class_weights = balanced_weights(training)
    setup = RunSetup(
        settings=settings,
        scaler=scaler,
        class_ids=class_ids,
        missing_class_ids=tuple(set(classes_of(images, present, settings.extracted_weight)).difference(class_ids)),
        training=training,
        held_out=held_out,
        class_weights=class_weights,
        label_sequence=context.training_set.sequence,
        revisions=context.training_set.revisions,
        snapshot=DataSnapshot.of(samples.image for samples in images),
        n_train_images=len(np.unique(training.image_ids)),
        live_quality=None,
    )
    if held_out is None:
        return setup
    live = fit_samples(context.parts, scaler, _as_live_sees(training), len(class_ids))
    return replace(setup, live_quality=quality(setup, live.logits(_as_live_sees(held_out).inputs)))


def start_run_loop(context: Context, setup: RunSetup) -> LoopState:
    """The loop before its first batch; all chance in it comes from the service's seed."""
    generator = torch.Generator().manual_seed(context.settings.seed)
    module = context.parts.make_module(setup.settings.head, context.parts.dim, len(setup.class_ids), generator)
    return start_loop(
        module,
        generator,
        learning_rate=setup.settings.learning_rate,
        patience=setup.settings.early_stop_patience,
        threshold=setup.settings.early_stop_threshold,
    )


def to_tensors(context: Context, setup: RunSetup, samples: Samples) -> Tensors:
    """Scaled inputs, and weights that let every class weigh the same in all."""
    balanced = balance(samples, setup.class_weights) if context.parts.is_exclusive else samples
    return Tensors(
        inputs=prepare_inputs(samples.inputs, setup.scaler, unit_norm=context.parts.live_config.unit_norm),
        targets=torch.from_numpy(balanced.targets),
        weights=torch.from_numpy(balanced.weights),
    )


def quality(setup: RunSetup, held_out_logits: FloatArray) -> Quality:
    """Quality of logits (N, K) of the held-out samples."""
    held_out = setup.held_out
    assert held_out is not None
    weights = held_out.weights * setup.class_weights[held_out.class_index]
    return measure(held_out_logits, held_out.class_index, weights, held_out.image_ids)


def _inputs_for(context: Context, kind: HeadKind, images: Sequence[ImageSamples]) -> list[ImageSamples]:
    """The samples as a head of `kind` takes them; those in memory are the linear head's."""
    read = context.parts.read_inputs[kind]
    if read is context.parts.read_inputs[HeadKind.LINEAR]:
        return list(images)
    return [ImageSamples(samples.image, read(context.reader, samples.image)) for samples in images]


def _as_live_sees(samples: Samples) -> Samples:
    return samples if samples.inputs.ndim == 2 else replace(samples, inputs=samples.inputs[:, CENTRE_CELL])


def _remedy(context: Context) -> str:
    with context.db.read() as db_session:
        waiting = labelled_without_features(db_session)
    if not waiting:
        return "label more images, then save again"
    images = "1 labelled image is" if waiting == 1 else f"{waiting} labelled images are"
    return f"{images} still being prepared, save again in a moment"
