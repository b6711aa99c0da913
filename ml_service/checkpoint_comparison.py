"""Two saved heads, measured on the same images that neither has learned from, and how far they agree elsewhere.

A live head learns from all labels, validation images too: what is measured in its place is a head of the same labels
without theirs, fitted anew from the data snapshot. The head of a run has never learned from validation images and is
measured itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from db.clock import utc_now
from db.enums import Origin, Split
from db.queries.checkpoints import get_checkpoint
from db.queries.session_info import HeadKind, get_session_info
from db.queries.training_data import (
    LabelledImage,
    Target,
    annotated_images,
    present_class_ids,
    sample_ready,
)
from ml_service.checkpoint import load_head
from ml_service.checkpoint_agreement import MAP_IMAGES, VECTOR_IMAGES, Attend, agreement
from ml_service.checkpoint_description import Description
from ml_service.confidence_intervals import paired_gain
from ml_service.context import Context
from ml_service.data_loaders.base import FloatArray, ImageSamples, Samples, collect, said_by_people
from ml_service.data_loaders.region_cells import RegionCells
from ml_service.data_snapshot import DataSnapshot, SnapshotImage, load_snapshot
from ml_service.errors import CheckpointError
from ml_service.heads.base import Head, TorchHead, prepare_inputs
from ml_service.heads.exclusive_groups import ALONE, GroupedHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import fit_live
from ml_service.metrics import Quality, measure
from ml_service.predictors.base import Model
from ml_service.quality_figures import decisions
from ml_service.task_factory import LIVE_KIND, TaskParts
from models.errors import FeatureMismatchError


@dataclass(frozen=True)
class Measured:
    """One of the two."""

    quality: Quality | None
    how: str | None
    """`itself`, or `refitted` from the training part of its snapshot; None where it could not be measured."""
    note: str | None


@dataclass(frozen=True)
class Side:
    """A checkpoint, opened."""

    checkpoint_id: int
    head: Head
    description: Description
    snapshot: DataSnapshot | None

    @property
    def is_live(self) -> bool:
        """Whether it has learned from validation images too."""
        return self.description.head_kind == LIVE_KIND

    @property
    def trained_on(self) -> frozenset[str]:
        """Content hashes of the images that what is measured has learned from."""
        images = () if self.snapshot is None else self.snapshot.part(Split.TRAIN)
        return frozenset(image.content_hash for image in images if image.content_hash is not None)


@dataclass(frozen=True)
class Candidate:
    """What is measured of a side: a head and the classes of its outputs."""

    head: Head
    kind: HeadKind | None
    """None of a live head."""
    class_ids: tuple[int, ...]


def compare_checkpoints(context: Context, a_id: int, b_id: int, attend: Attend = lambda: None) -> dict[str, Any]:
    """Quality of both on the labels of now, their difference, and their agreement on images drawn at random; as JSON.

    Raises:
        NotFoundError: there is no such checkpoint.
        CheckpointError, FeatureMismatchError: one of the two cannot be loaded.
    """
    a, b = _open(context, a_id), _open(context, b_id)
    with context.db.read() as db_session:
        sequence = get_session_info(db_session).label_sequence
        present = set(present_class_ids(db_session))
        cells = RegionCells(context.reader.extractor)
        labelled = [
            cells.expand(db_session, image)
            for image in annotated_images(db_session, context.task)
            if image.split is Split.VALIDATION and image.features_ready and image.teaches
        ]
        sample = sample_ready(db_session, MAP_IMAGES if context.task.reads_patches else VECTOR_IMAGES)
    fresh = [image for image in labelled if image.content_hash not in a.trained_on | b.trained_on]
    candidates = [_candidate(context, side, attend) for side in (a, b)]
    shared = tuple(k for k in a.description.class_ids if k in present and k in b.description.class_ids)
    held_out = list(_read(context, fresh, HeadKind.LINEAR, attend))
    models = [Model(side.head, side.description.class_ids, {}, version=0) for side in (a, b)]
    results = _measure(context, candidates, held_out, shared, attend)
    said = [samples.image for samples in said_by_people(held_out, context.parts.guesses)]
    n_samples = sum(1 if image.answered else len(image.targets) for image in said)
    return {
        "label_sequence": sequence,
        "measured_at": utc_now().isoformat(),
        "held_out": {
            "n_images": 0 if results is None else results.n_images,
            "n_samples": 0 if results is None else results.n_samples,
            "class_ids": list(shared),
            "left_out_samples": n_samples - (0 if results is None else results.n_samples),
            "left_out_images": len(labelled) - len(fresh),
        },
        "a": _side_json(candidates[0], None if results is None else results.qualities[0]),
        "b": _side_json(candidates[1], None if results is None else results.qualities[1]),
        "difference": None if results is None else results.difference,
        "agreement": agreement(context, models, shared, sample, attend),
    }


@dataclass(frozen=True)
class _Results:
    n_images: int
    n_samples: int
    qualities: tuple[Quality | None, Quality | None]
    difference: dict[str, float | None] | None


def _open(context: Context, checkpoint_id: int) -> Side:
    with context.db.read() as db_session:
        path = get_checkpoint(db_session, checkpoint_id).path
    head, description = load_head(context.session_dir, path, context.parts, context.extractor, context.task)
    try:
        snapshot = load_snapshot(context.session_dir, description.dataset_hash)
    except CheckpointError:
        snapshot = None
    return Side(checkpoint_id, head, description, snapshot)


def _candidate(context: Context, side: Side, attend: Attend) -> tuple[Candidate | None, str | None]:
    """What may be measured of a side, or why nothing; and what there is to know about it."""
    if not side.is_live:
        # The split is drawn once an image: what is a validation image now was never one to train on.
        note = (
            None
            if side.snapshot
            else "its data snapshot is missing: taken to have kept to the split, as every run does"
        )
        return Candidate(
            side.head, context.parts.head_kind(side.description.head_kind), side.description.class_ids
        ), note
    if side.snapshot is None:
        return None, (
            "it cannot be measured: a live head learns from validation images too, and the labels it was fitted to "
            "were not kept, so that it cannot be fitted again without them"
        )
    scaler = getattr(side.head, "scaler", None)
    assert isinstance(scaler, FeatureScaler), "every live head scales its features"
    images = list(_read(context, map(_labelled, side.snapshot.part(Split.TRAIN)), HeadKind.LINEAR, attend))
    lost = len(side.snapshot.part(Split.TRAIN)) - len(images)
    training = side.description.config.get("training", {})
    weight = float(training.get("extracted_weight", 0.3))
    fitted = fit_live(_parts_of(context.parts, side), scaler, images, side.description.class_ids, weight)
    if fitted is None:
        return None, "it cannot be measured: it has learned from validation images alone"
    note = f"without {lost} of its training images, whose features are gone" if lost else None
    return Candidate(fitted.head, None, fitted.class_ids), note


def _parts_of(parts: TaskParts, side: Side) -> TaskParts:
    """The task's parts with the groups that a live head was fitted with: people may have changed them since."""
    if not isinstance(side.head, GroupedHead):
        return parts
    numbers = zip(side.description.class_ids, side.head.group_of.tolist(), strict=True)
    return replace(parts, group_by_class={class_id: str(number) for class_id, number in numbers if number != ALONE})


def _measure(
    context: Context,
    candidates: Sequence[tuple[Candidate | None, str | None]],
    held_out: list[ImageSamples],
    shared: Sequence[int],
    attend: Attend,
) -> _Results | None:
    """Both on the same samples of the classes that both know; None without any."""
    if not shared:
        return None
    samples = _collect(context.parts, held_out, shared)
    if samples is None:
        return None
    said = [
        None if candidate is None else _logits(context, candidate, held_out, shared, attend)
        for candidate, _note in candidates
    ]
    ones = np.ones(len(samples))
    qualities = [
        None if logits is None else measure(logits, samples.targets, ones, samples.image_ids, context.parts.output)
        for logits in said
    ]
    difference = None
    if said[0] is not None and said[1] is not None:
        difference = _difference(context.parts, said[0], said[1], samples)
    n_images = len(np.unique(samples.image_ids))
    return _Results(n_images, len(samples), (qualities[0], qualities[1]), difference)


def _collect(parts: TaskParts, images: Iterable[ImageSamples], class_ids: Sequence[int]) -> Samples | None:
    return collect(said_by_people(images, parts.guesses), class_ids, 1.0)


def _logits(
    context: Context, candidate: Candidate, held_out: list[ImageSamples], shared: Sequence[int], attend: Attend
) -> FloatArray:
    """Logits (N, K) of the samples that `_collect` gives, for the shared classes; what it does not know is unlikely."""
    images = held_out
    if candidate.kind is not None and not _reads_as_linear(context.parts, candidate.kind):
        images = list(_read(context, (samples.image for samples in held_out), candidate.kind, attend))
    samples = _collect(context.parts, images, shared)
    assert samples is not None
    logits = _of_samples(candidate.head, samples.inputs)
    index_of = {class_id: index for index, class_id in enumerate(candidate.class_ids)}
    unknown = np.full(len(logits), logits.min() - 1.0, dtype=np.float32)
    columns = [logits[:, index_of[k]] if k in index_of else unknown for k in shared]
    return np.stack(columns, axis=1)


def _of_samples(head: Head, inputs: FloatArray) -> FloatArray:
    """Logits (N, K) of samples as a data loader gives them: a module may see more of each than its own cell."""
    if not isinstance(head, TorchHead):
        return head.logits(inputs)
    logits = head.module(prepare_inputs(inputs, head.scaler, unit_norm=head.unit_norm))
    found: FloatArray = logits.detach().numpy()
    return found


def _difference(parts: TaskParts, a: FloatArray, b: FloatArray, samples: Samples) -> dict[str, float | None]:
    """Accuracy of b - a on the same samples, with its standard error over images: those of one are not independent."""
    right = []
    for logits in (a, b):
        said, meant = decisions(logits, samples.targets, parts.output)
        right.append((said == meant).all(axis=1).astype(np.float64))
    mean, error = paired_gain(right[1] - right[0], samples.image_ids)
    return {"accuracy": mean, "standard_error": error}


def _read(context: Context, images: Iterable[LabelledImage], kind: HeadKind, attend: Attend) -> Iterator[ImageSamples]:
    """The samples of those images whose features can be read."""
    for image in images:
        attend()
        try:
            yield ImageSamples(image, context.parts.read_inputs[kind](context.reader, image))
        except FeatureMismatchError:
            continue


def _reads_as_linear(parts: TaskParts, kind: HeadKind) -> bool:
    return parts.read_inputs[kind] is parts.read_inputs[HeadKind.LINEAR]


def _labelled(image: SnapshotImage) -> LabelledImage:
    targets = tuple(Target(t.class_id, Origin(t.origin), t.x, t.y, t.weight, t.is_cell) for t in image.targets)
    return LabelledImage(
        id=image.id,
        content_hash=image.content_hash,
        width=image.width,
        height=image.height,
        revision=0,
        label_sequence=0,
        split=image.split,
        features_ready=True,
        targets=targets,
        answered=image.answered,
        unasked=image.unasked,
    )


def _side_json(candidate: tuple[Candidate | None, str | None], quality: Quality | None) -> dict[str, Any]:
    measured, note = candidate
    how = "refitted" if measured is not None and measured.kind is None else "itself"
    return asdict(Measured(quality, None if quality is None else how, note))
