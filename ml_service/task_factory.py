"""The one place where a task is registered: its head, data loader, loss and predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from db.enums import Origin
from db.queries.session_info import OLD_NONLINEAR, HeadKind
from db.queries.training_data import ImageRef, LabelledImage
from db.tasks import Task
from ml_service.data_loaders.base import ReadInputs
from ml_service.data_loaders.classification import IMAGES_PER_BATCH, read_pooled_inputs
from ml_service.data_loaders.multilabel import read_answer_inputs
from ml_service.data_loaders.segmentation import (
    POINTS_PER_BATCH,
    point_cells,
    read_neighbourhood_inputs,
    read_point_inputs,
)
from ml_service.feature_reader import FeatureReader
from ml_service.heads.base import Head, State, load_torch_head
from ml_service.heads.classification_head import make_classification_module
from ml_service.heads.exclusive import restore_exclusive_head
from ml_service.heads.exclusive_groups import GroupedHead, GroupedModule, GroupOf, group_numbers, stored_groups
from ml_service.heads.live import CLASSIFICATION, MULTILABEL, SEGMENTATION, LiveHead, LiveHeadConfig
from ml_service.heads.multilabel_head import make_multilabel_module
from ml_service.heads.segmentation_head import make_segmentation_module
from ml_service.losses.classification import classification_loss
from ml_service.losses.multilabel import multilabel_loss
from ml_service.losses.segmentation import segmentation_loss
from ml_service.predictors.base import Predictor
from ml_service.predictors.classification import ClassificationPredictor
from ml_service.predictors.multilabel import MultilabelPredictor
from ml_service.predictors.segmentation import SegmentationPredictor
from ml_service.probability_calibration import ANY_CLASSES, ONE_CLASS, Output
from models.base import ChannelGroup, ExtractorInfo

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logits (N, K), targets (N, K) in 0..1 and weights (N,), not all zero, to a scalar."""
MakeModule = Callable[[HeadKind, int, int, torch.Generator], nn.Module]
LIVE_KIND = "live"
"""What a checkpoint calls a live head; those of runs have the name of their `HeadKind`."""

SCALER_CELLS_PER_IMAGE = 512


@dataclass(frozen=True)
class TaskParts:
    """Everything in learning that differs between tasks."""

    dim: int
    """Channels of one input."""
    groups: tuple[ChannelGroup, ...]
    live_config: LiveHeadConfig
    read_inputs: dict[HeadKind, ReadInputs]
    """The heads there are, and how each reads the samples of an image; the live head takes those of the linear one."""
    batch_size: int
    make_module: MakeModule
    loss: Loss
    predictor: Predictor
    scaler_images: int
    """Images that the scaler is fitted on, at most."""
    scaler_images_per_step: int
    """How many of them are read between two looks for a click: few enough that nobody waits for them."""
    read_scaler_sample: Callable[[FeatureReader, ImageRef], npt.NDArray[np.float32]]
    """Vectors (m, D) of one of them."""
    is_exclusive: bool = True
    """Whether exactly one class holds of each sample, so that its targets sum to 1."""
    read_cells: Callable[[ExtractorInfo, LabelledImage], npt.NDArray[np.intp]] | None = None
    """Cell (n,) of each target of an image, where several can lie in one and contradict each other."""
    group_by_class: dict[int, str] = field(default_factory=dict)
    """Of the classes that exclude each other, where any number of the others may hold. People change it: the training
    set keeps it in step with the database."""
    guesses: frozenset[Origin] = frozenset({Origin.EXTRACTED})
    """Origins of annotations that a model made: they train, and measure nothing."""

    @property
    def output(self) -> Output:
        """What the logits of the task's heads stand for."""
        return ONE_CLASS if self.is_exclusive else ANY_CLASSES

    def group_of(self, class_ids: Sequence[int]) -> GroupOf:
        """The groups of these classes, as they are now."""
        return group_numbers(class_ids, self.group_by_class)

    def new_module(self, kind: HeadKind, class_ids: Sequence[int], generator: torch.Generator) -> nn.Module:
        """What a full run trains for these classes."""
        module = self.make_module(kind, self.dim, len(class_ids), generator)
        return module if self.is_exclusive else GroupedModule(module, self.group_of(class_ids))

    def restore_head(self, kind: str, state: State, n_classes: int) -> Head:
        """The head that a checkpoint holds.

        Raises:
            ValueError, KeyError, RuntimeError: `state` is not that of such a head.
        """
        if kind == LIVE_KIND and self.is_exclusive:
            return restore_exclusive_head(state)
        if kind == LIVE_KIND:
            group_of, scores = stored_groups(state, n_classes)
            return GroupedHead(LiveHead.from_state(scores), group_of)
        module = self.make_module(self.head_kind(kind), self.dim, n_classes, torch.Generator())
        if not self.is_exclusive:
            group_of, state = stored_groups(state, n_classes)
            module = GroupedModule(module, group_of)
        return load_torch_head(state, module, unit_norm=self.live_config.unit_norm)

    def head_kind(self, stored: str) -> HeadKind:
        """The kind that a checkpoint names.

        Raises:
            ValueError: there is none of that name.
        """
        if stored == OLD_NONLINEAR:
            return HeadKind.CONV if HeadKind.CONV in self.read_inputs else HeadKind.MLP
        return HeadKind(stored)


def read_scaler_cells(reader: FeatureReader, image: ImageRef) -> npt.NDArray[np.float32]:
    """Cells (m, D), evenly spread over the image."""
    return reader.cells(image.content_hash, SCALER_CELLS_PER_IMAGE)


def read_scaler_vector(reader: FeatureReader, image: ImageRef) -> npt.NDArray[np.float32]:
    """The pooled vector, as (1, P)."""
    return reader.pooled([image.content_hash])


def make_segmentation_parts(extractor: ExtractorInfo) -> TaskParts:
    """Points on patch features."""
    return TaskParts(
        dim=extractor.dim,
        groups=extractor.groups,
        live_config=SEGMENTATION,
        read_inputs={
            HeadKind.LINEAR: read_point_inputs,
            HeadKind.CONV: read_neighbourhood_inputs,
            HeadKind.MLP: read_point_inputs,
        },
        batch_size=POINTS_PER_BATCH,
        make_module=make_segmentation_module,
        loss=segmentation_loss,
        predictor=SegmentationPredictor(),
        scaler_images=64,
        scaler_images_per_step=2,
        read_scaler_sample=read_scaler_cells,
        read_cells=point_cells,
        # A person accepts a mask as a whole; the points that stand for it were set by the head.
        guesses=frozenset({Origin.EXTRACTED, Origin.ACCEPTED}),
    )


def make_classification_parts(extractor: ExtractorInfo) -> TaskParts:
    """Whole images on pooled vectors."""
    return TaskParts(
        dim=extractor.pooled_dim,
        groups=extractor.pooled_groups,
        live_config=CLASSIFICATION,
        read_inputs={HeadKind.LINEAR: read_pooled_inputs, HeadKind.MLP: read_pooled_inputs},
        batch_size=IMAGES_PER_BATCH,
        make_module=make_classification_module,
        loss=classification_loss,
        predictor=ClassificationPredictor(),
        scaler_images=2000,
        scaler_images_per_step=50,
        read_scaler_sample=read_scaler_vector,
    )


def make_multilabel_parts(extractor: ExtractorInfo) -> TaskParts:
    """Whole images on pooled vectors, each with any number of classes."""
    of_one_class = make_classification_parts(extractor)
    return replace(
        of_one_class,
        live_config=MULTILABEL,
        read_inputs={HeadKind.LINEAR: read_answer_inputs, HeadKind.MLP: read_answer_inputs},
        make_module=make_multilabel_module,
        loss=multilabel_loss,
        predictor=MultilabelPredictor(),
        is_exclusive=False,
        group_by_class={},
    )


MAKERS: dict[Task, Callable[[ExtractorInfo], TaskParts]] = {
    Task.SEGMENTATION: make_segmentation_parts,
    Task.CLASSIFICATION: make_classification_parts,
    Task.MULTILABEL: make_multilabel_parts,
}


def make_task_parts(task: Task, extractor: ExtractorInfo) -> TaskParts:
    """The parts for a task on the features of an extractor."""
    return MAKERS[task](extractor)
