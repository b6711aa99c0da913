"""The newest prediction of an image."""

from __future__ import annotations

from collections.abc import Sequence

from backend.context import AppContext
from backend.schemas.predictions import ClassProbability, PredictionOut
from backend.services.feature_requests import note_opened
from db.enums import JobKind
from db.errors import NotFoundError
from db.queries.class_tree import ClassTree
from db.queries.images import get_image
from db.queries.jobs import request_job
from db.queries.predictions import is_prediction_requested, prediction_status
from db.tables.learning import Prediction
from db.tasks import Annotates


def find_prediction(context: AppContext, image_id: int, root_path: str) -> PredictionOut | None:
    """What there is, None before there is any; a stale or missing prediction is asked for by the way.

    Args:
        root_path: prefix under which the application is mounted.

    Raises:
        NotFoundError: no such image.
    """
    with context.database.read() as db_session:
        found = prediction_status(db_session, image_id)
        image = None if found.can_predict else get_image(db_session, image_id)
        is_due = found.stale and found.can_predict and not is_prediction_requested(db_session, image_id)
    if image is not None:
        note_opened(context, image)
    if is_due:
        with context.database.write() as db_session:
            request_job(db_session, JobKind.PREDICT, image_id)
    if found.prediction is None:
        return None
    return describe_prediction(context, image_id, found.prediction, stale=found.stale, root_path=root_path)


def describe_prediction(
    context: AppContext, image_id: int, prediction: Prediction, *, stale: bool, root_path: str
) -> PredictionOut:
    """A prediction as clients get it; parameters as in `find_prediction`."""
    encoded = context.handler.encode_prediction(
        prediction,
        stale=stale,
        class_ids=context.config.class_ids,
        map_url=f"{root_path}/api/images/{image_id}/prediction/map",
    )
    if context.config.task.annotates is Annotates.CLASSES and encoded.probabilities is not None:
        probabilities = _with_parents(context.config.class_tree, encoded.probabilities)
        return encoded.model_copy(update={"probabilities": probabilities})
    return encoded


def _with_parents(tree: ClassTree, found: Sequence[ClassProbability]) -> list[ClassProbability]:
    """No class is less probable than one that implies it; most probable first."""
    p = {entry.class_id: entry.p for entry in found}
    for entry in found:
        for above in tree.above(entry.class_id):
            # One that the head does not know yet stays unknown.
            if above in p:
                p[above] = max(p[above], entry.p)
    return sorted((ClassProbability(class_id=c, p=value) for c, value in p.items()), key=lambda entry: -entry.p)


def request_lost_map(context: AppContext, image_id: int) -> NotFoundError:
    """Ask for a map whose file is gone or damaged, and the error that says so."""
    with context.database.write() as db_session:
        if not is_prediction_requested(db_session, image_id):
            request_job(db_session, JobKind.PREDICT, image_id)
    return NotFoundError(
        f"the map of image {image_id} is missing or damaged: it was asked for again, try again in a moment"
    )


def no_prediction(image_id: int) -> NotFoundError:
    """The error for an image that nothing has predicted."""
    return NotFoundError(f"there is no prediction of image {image_id} yet: label something and let the ML service run")
