"""Predictions, as the backend reads them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import FeatureState, JobKind, JobState
from db.errors import NotFoundError
from db.queries.jobs import job_key
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tables.processes import Job
from db.tables.session import SessionInfo


@dataclass(frozen=True)
class PredictionStatus:
    """The newest prediction of an image, and whether a newer one is due."""

    prediction: Prediction | None
    stale: bool
    """A newer head exists; with `prediction` None: a head exists, but has not predicted the image."""
    can_predict: bool
    """The features of the image are there."""


def prediction_status(db_session: Session, image_id: int) -> PredictionStatus:
    """What there is for an image, in one read.

    Raises:
        NotFoundError: there is no such image.
    """
    row = db_session.execute(
        select(Image.features, SessionInfo.head_version, Prediction)
        .select_from(Image)
        .join(SessionInfo, SessionInfo.id == 1)
        .outerjoin(Prediction, Prediction.image_id == Image.id)
        .where(Image.id == image_id)
    ).first()
    if row is None:
        raise NotFoundError(f"there is no image {image_id}")
    features, head_version, prediction = row
    version = prediction.version if prediction is not None else 0
    return PredictionStatus(prediction, version < head_version, features is FeatureState.READY)


def is_prediction_requested(db_session: Session, image_id: int) -> bool:
    """Whether a job for this image waits or runs."""
    key = job_key(JobKind.PREDICT, image_id)
    statement = select(Job.id).where(Job.key == key, Job.state.in_([JobState.QUEUED, JobState.RUNNING])).limit(1)
    return db_session.scalar(statement) is not None


def named_maps(db_session: Session, first_id: int, last_id: int) -> set[str]:
    """Paths of the maps in force of the images with these ids, both ends included."""
    is_meant = (Prediction.image_id.between(first_id, last_id), Prediction.map_path.is_not(None))
    return {path for path in db_session.scalars(select(Prediction.map_path).where(*is_meant)) if path is not None}
