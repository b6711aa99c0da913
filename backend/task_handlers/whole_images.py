"""What tasks about whole images share: predictions that are probabilities, not maps."""

from __future__ import annotations

from collections.abc import Collection

from backend.schemas.export import ExportFormat
from backend.schemas.predictions import ClassProbability, PredictionOut
from backend.task_handlers.base import PredictedImage, Proposal
from db.errors import ConflictError, InvalidInputError
from db.tables.learning import Prediction
from db.tasks import Task


class WholeImageHandler:
    """The part of a `TaskHandler` that is the same for all tasks without maps."""

    task: Task
    has_maps = False
    export_formats = frozenset({ExportFormat.JSON, ExportFormat.CSV, ExportFormat.COCO})

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """See TaskHandler. The probabilities of the classes that are left, most probable first."""
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
        """See TaskHandler.

        Raises:
            InvalidInputError: always.
        """
        raise InvalidInputError(
            f"image {source.image.id} has no map to extract points from: this is a {self.task.name} session. "
            "Use accept-prediction"
        )


def ranked_classes(source: PredictedImage) -> list[tuple[int, float]]:
    """(class id, probability) of the classes that are left, most probable first.

    Raises:
        ConflictError: none is left of those that the prediction knows.
    """
    ranked = _ranked(source.prediction, source.class_ids)
    if not ranked:
        raise ConflictError(
            f"the prediction of image {source.image.id} knows none of the classes that are left: label some images"
        )
    return ranked


def _ranked(prediction: Prediction, class_ids: Collection[int]) -> list[tuple[int, float]]:
    pairs = zip(prediction.class_ids, prediction.probabilities or (), strict=True)
    return sorted(((c, float(p)) for c, p in pairs if c in class_ids), key=lambda pair: -pair[1])
