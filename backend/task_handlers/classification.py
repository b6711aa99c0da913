"""One class per image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from backend.schemas.annotations import AnnotationPut
from backend.task_handlers.base import PredictedImage, Proposal
from backend.task_handlers.whole_images import WholeImageHandler, ranked_classes
from db.enums import Origin
from db.errors import InvalidInputError
from db.queries.annotations import set_label
from db.queries.regions import NewRegion
from db.tables.images import Image
from db.tasks import Task


class ClassificationHandler(WholeImageHandler):
    """Payload: {"class_id"}. Prediction: probabilities, most probable first."""

    task = Task.CLASSIFICATION

    def write(
        self, db_session: Session, image: Image, body: AnnotationPut, regions: Sequence[NewRegion] = ()
    ) -> dict[str, Any]:
        """See TaskHandler."""
        del regions
        if body.class_id is None:
            raise InvalidInputError(
                'this is a classification session: an image has one class, send {"class_id": ID}, found '
                + ("points" if body.points is not None else "class_ids")
            )
        return set_label(db_session, image, body.class_id, expected_revision=body.revision)

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        return Proposal(class_id=ranked_classes(source)[0][0])

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        assert proposal.class_id is not None
        return set_label(db_session, image, proposal.class_id, expected_revision=expected_revision, origin=origin)
