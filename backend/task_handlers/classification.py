"""One class per image."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from backend.schemas.annotations import AnnotationPut
from backend.schemas.export import ExportFormat
from backend.schemas.predictions import PredictionOut
from backend.task_handlers.base import PredictedImage, Proposal
from backend.task_handlers.whole_images import encode_probabilities, ranked_classes, refuse_extraction
from db.errors import InvalidInputError
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
                'this is a classification session: an image has one class, send {"class_id": ID}, found '
                + ("points" if body.points is not None else "class_ids")
            )
        return set_label(db_session, image, body.class_id, expected_revision=body.revision)

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """See TaskHandler."""
        del map_url
        return encode_probabilities(prediction, stale=stale, class_ids=class_ids)

    def extract(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        return refuse_extraction(source, self.task)

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        return Proposal(class_id=ranked_classes(source)[0][0])

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        assert proposal.class_id is not None
        return set_label(db_session, image, proposal.class_id, expected_revision=expected_revision, origin=origin)
