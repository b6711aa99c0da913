"""What accepting the prediction of a whole image would say of it."""

from __future__ import annotations

from backend.context import AppContext
from backend.task_handlers.base import PredictedImage
from db.errors import ConflictError
from db.tables.images import Image
from db.tables.learning import Prediction


def suggest(context: AppContext, image: Image, prediction: Prediction) -> list[int] | None:
    """Class ids, one where an image has one; None where the prediction knows none of the classes that are left."""
    config = context.config
    source = PredictedImage(
        image=image,
        prediction=prediction,
        annotation={},
        class_ids=config.class_ids,
        class_groups=config.class_groups,
        class_tree=config.class_tree,
        training=config.training,
        session_dir=config.session_dir,
    )
    try:
        proposal = context.handler.accept(source)
    except ConflictError:
        return None
    return list(proposal.class_ids) if proposal.class_ids is not None else [proposal.class_id or 0]
