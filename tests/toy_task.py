"""A task as docs/adding_a_task.md tells to write one: images told apart by how much their cells vary.

The mean of the cells says nothing about it, so neither the data loader nor the predictor of another task would do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sqlalchemy.orm import Session
from torch import Tensor, nn
from torch.nn import functional

from backend.schemas.annotations import AnnotationPut
from backend.schemas.export import ExportFormat
from backend.schemas.predictions import ClassProbability, PredictionOut
from backend.task_handlers.base import PredictedImage, Proposal
from db.enums import Origin
from db.errors import InvalidInputError
from db.queries.annotations import set_label
from db.queries.regions import NewRegion
from db.queries.session_info import HeadKind
from db.queries.training_data import ImageRef, LabelledImage
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tasks import Annotates, Task
from ml_service.feature_reader import FeatureReader
from ml_service.heads.live import LiveHeadConfig
from ml_service.predictors.base import ImagePrediction, Model
from ml_service.task_factory import TaskParts
from models.base import ExtractorInfo
from models.prediction_store import softmax

TEXTURE = Task("texture", Annotates.IMAGE)
CELLS = 256


class TextureHandler:
    """Payload: {"class_id"}. Prediction: the most probable class alone."""

    task = TEXTURE
    has_maps = False
    export_formats = frozenset({ExportFormat.CSV})

    def write(
        self, db_session: Session, image: Image, body: AnnotationPut, regions: Sequence[NewRegion] = ()
    ) -> dict[str, Any]:
        """See TaskHandler."""
        del regions
        if body.class_id is None:
            raise InvalidInputError('a texture belongs to the whole image: send {"class_id": ID}, found points')
        return set_label(db_session, image, body.class_id, expected_revision=body.revision)

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """See TaskHandler."""
        del class_ids, map_url
        class_id, p = _best(prediction)
        return PredictionOut(
            version=prediction.version,
            checkpoint_id=prediction.checkpoint_id,
            annotation_revision=prediction.annotation_revision,
            stale=stale,
            created_at=prediction.created_at,
            probabilities=[ClassProbability(class_id=class_id, p=p)],
        )

    def extract(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        raise InvalidInputError(f"image {source.image.id} has no points to extract: use accept-prediction")

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        return Proposal(class_id=_best(source.prediction)[0])

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        assert proposal.class_id is not None
        return set_label(db_session, image, proposal.class_id, expected_revision=expected_revision, origin=origin)


def _best(prediction: Prediction) -> tuple[int, float]:
    pairs = zip(prediction.class_ids, prediction.probabilities or (), strict=True)
    return max(pairs, key=lambda pair: pair[1])


def spread(reader: FeatureReader, content_hash: str) -> npt.NDArray[np.float32]:
    """How much each channel varies over the image (1, D)."""
    return reader.cells(content_hash, CELLS).std(axis=0, keepdims=True)


def read_spread_inputs(reader: FeatureReader, image: LabelledImage) -> npt.NDArray[np.float32]:
    """(n, D)"""
    return np.repeat(spread(reader, image.content_hash or ""), len(image.targets), axis=0)


def read_scaler_spread(reader: FeatureReader, image: ImageRef) -> npt.NDArray[np.float32]:
    """(1, D)"""
    return spread(reader, image.content_hash)


def make_texture_module(kind: HeadKind, dim: int, n_classes: int, generator: torch.Generator) -> nn.Module:
    """The same for every kind."""
    del kind, generator
    return nn.Linear(dim, n_classes)


def texture_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Smoothed cross-entropy."""
    losses = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=0.1)
    return (losses * weights).sum() / weights.sum()


class TexturePredictor:
    """One image after the other."""

    chunk_size = 4

    def predict(
        self,
        model: Model,
        reader: FeatureReader,
        images: Sequence[ImageRef],
        *,
        keep: bool,  # noqa: ARG002 - nothing of this size is worth it
    ) -> list[ImagePrediction]:
        """As in `Predictor`."""
        predictions = []
        for image in images:
            p = softmax(model.head.logits(spread(reader, image.content_hash)), axis=1)[0]
            best = int(p.argmax())
            predictions.append(ImagePrediction(image.id, 1 - float(p[best]), model.class_ids[best], tuple(p.tolist())))
        return predictions


def make_texture_parts(extractor: ExtractorInfo) -> TaskParts:
    """What step 5 of the recipe puts together."""
    return TaskParts(
        dim=extractor.dim,
        groups=extractor.groups,
        live_config=LiveHeadConfig(data_weight=3.0, balance=0.5, unit_norm=False),
        read_inputs={HeadKind.LINEAR: read_spread_inputs, HeadKind.MLP: read_spread_inputs},
        batch_size=64,
        make_module=make_texture_module,
        loss=texture_loss,
        predictor=TexturePredictor(),
        scaler_images=100,
        scaler_images_per_step=10,
        read_scaler_sample=read_scaler_spread,
    )
