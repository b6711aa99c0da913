"""The live head: refitted over all labels after every change, from nothing, so that equal labels give equal heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ml_service.data_loaders.base import (
    ImageSamples,
    Samples,
    classes_of,
    collect,
)
from ml_service.heads.exclusive import ExclusiveHead, fit_exclusive_head
from ml_service.heads.exclusive_groups import GroupedHead
from ml_service.heads.live import LiveHead
from ml_service.heads.multilabel_head import fit_multilabel_head
from ml_service.heads.scaler import FeatureScaler
from ml_service.task_factory import TaskParts

LiveKind = ExclusiveHead | GroupedHead
"""Where exactly one class holds, and where any number may."""


@dataclass(frozen=True)
class FittedHead:
    """A live head and the classes of its outputs."""

    head: LiveKind
    class_ids: tuple[int, ...]


def fit_live(
    parts: TaskParts,
    scaler: FeatureScaler,
    images: Sequence[ImageSamples],
    present: Sequence[int],
    extracted_weight: float,
    give_up: Callable[[], bool] = lambda: False,
) -> FittedHead | None:
    """The live head of the labels on `images`; None without any.

    Args:
        present: class ids that were not removed.
        give_up: See `fit_softmax`.
    """
    class_ids = classes_of(images, present, extracted_weight)
    if len(class_ids) == 1 and parts.is_exclusive:
        # One class alone says nothing; beside the others, as yet without labels, it gets a probability below 1.
        class_ids = tuple(sorted(present))
    samples = collect(images, class_ids, extracted_weight)
    if samples is None:
        return None
    return FittedHead(fit_samples(parts, scaler, samples, class_ids, give_up), class_ids)


def fit_samples(
    parts: TaskParts,
    scaler: FeatureScaler,
    samples: Samples,
    class_ids: Sequence[int],
    give_up: Callable[[], bool] = lambda: False,
) -> LiveKind:
    """The live head of samples as the linear head reads them; they were collected for `class_ids`."""
    if not parts.is_exclusive:
        group_of = parts.group_of(class_ids)
        return fit_multilabel_head(samples, group_of, scaler=scaler, config=parts.live_config, give_up=give_up)
    n_classes = len(class_ids)
    # The head wants two classes at least. A session with one class has one output, of probability 1.
    head = fit_exclusive_head(
        samples.inputs,
        samples.class_index,
        samples.weights,
        max(2, n_classes),
        scaler=scaler,
        config=parts.live_config,
        give_up=give_up,
    )
    if n_classes == 1 and isinstance(head, LiveHead):
        head = replace(head, weight=head.weight[:1], bias=head.bias[:1])
    return head
