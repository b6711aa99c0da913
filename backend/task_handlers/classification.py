"""One class per image."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from backend.schemas.annotations import AnnotationPut
from backend.schemas.export import ExportFormat
from backend.schemas.predictions import ClassProbability, PredictionOut
from backend.task_handlers.base import PredictedImage, Proposal
from db.errors import ConflictError, InvalidInputError
from db.models import Image, Origin, Prediction
from db.queries.annotations import set_label
from db.tasks import Task


class ClassificationHandler:
    """Payload: {"class_id"}. Prediction: probabilities, most probable first."""

    task = Task.CLASSIFICATION
    has_maps = False
    export_formats = frozenset({ExportFormat.JSON, ExportFormat.CSV, ExportFormat.COCO})

    def write(self, db_session: Session, image: Image, body: AnnotationPut) -> dict[str, Any]:
        """See TaskHandler."""
        if body.class_id is None:
            raise InvalidInputError(
                'this is a classification session: an image has one class, send {"class_id": ID}, found points'
            )
        return set_label(db_session, image, body.class_id, expected_revision=body.revision)

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """See TaskHandler."""
        del map_url
        return PredictionOut(
            version=prediction.version,
            checkpoint_id=prediction.checkpoint_id,
            annotation_revision=prediction.annotation_revision,
            stale=stale,
            created_at=prediction.created_at,
            probabilities=[ClassProbability(class_id=c, p=p) for c, p in _ranked(prediction, class_ids)],
        )

    def extract(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        raise InvalidInputError(
            f"image {source.image.id} has no map to extract points from: this is a classification session. "
            "Use accept-prediction"
        )

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        ranked = _ranked(source.prediction, source.class_ids)
        if not ranked:
            raise ConflictError(
                f"the prediction of image {source.image.id} knows none of the classes that are left: label some images"
            )
        return Proposal(class_id=ranked[0][0])

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        assert proposal.class_id is not None
        return set_label(db_session, image, proposal.class_id, expected_revision=expected_revision, origin=origin)


def _ranked(prediction: Prediction, class_ids: Collection[int]) -> list[tuple[int, float]]:
    """(class id, probability) of the classes that are left, most probable first."""
    pairs = zip(prediction.class_ids, prediction.probabilities or (), strict=True)
    return sorted(((c, float(p)) for c, p in pairs if c in class_ids), key=lambda pair: -pair[1])
