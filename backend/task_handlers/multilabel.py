"""Several classes per image, with groups of which one holds at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from backend.schemas.annotations import AnnotationPut
from backend.task_handlers.base import PredictedImage, Proposal
from backend.task_handlers.whole_images import WholeImageHandler, ranked_classes
from db.enums import Origin
from db.errors import InvalidInputError
from db.queries.annotations import set_classes
from db.queries.regions import NewRegion
from db.tables.images import Image
from db.tasks import Task

ACCEPTED_ABOVE = 0.5
"""An accepted prediction says of a class that it holds where this is less than its probability."""


class MultilabelHandler(WholeImageHandler):
    """Payload: {"class_ids"}, all that hold. Prediction: a probability for each class, most probable first."""

    task = Task.MULTILABEL

    def write(
        self, db_session: Session, image: Image, body: AnnotationPut, regions: Sequence[NewRegion] = ()
    ) -> dict[str, Any]:
        """See TaskHandler."""
        del regions
        if body.class_ids is None:
            found = "points" if body.points is not None else "class_id"
            raise InvalidInputError(
                'this is a multilabel session: an image has any number of classes, send {"class_ids": [ID, ...]}, '
                f"found {found}"
            )
        return set_classes(db_session, image, body.class_ids, expected_revision=body.revision)

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler. Of a group the most probable class alone can be accepted, and what is below it."""
        accepted: list[int] = []
        holder_of: dict[str, int] = {}
        for class_id, p in ranked_classes(source):
            implied = (class_id, *source.class_tree.above(class_id))
            groups = {source.class_groups[found]: found for found in implied if found in source.class_groups}
            if p > ACCEPTED_ABOVE and all(holder_of.get(group, found) == found for group, found in groups.items()):
                accepted += [found for found in implied if found not in accepted]
                holder_of |= groups
        return Proposal(class_ids=tuple(accepted))

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        assert proposal.class_ids is not None
        return set_classes(db_session, image, proposal.class_ids, expected_revision=expected_revision, origin=origin)
