"""Features that are to be made once more. Annotations are never touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from db.enums import FeatureState
from db.queries.events import add_event
from db.queries.extraction import IDS_PER_EVENT, read_progress
from db.queries.feature_requests import REST
from db.queries.portions import in_portions
from db.tables.images import Image
from db.tables.learning import Prediction

RECOMPUTED = "to be computed anew"
"""A pending image with a reason is made from its file, whatever is stored of it."""


def compute_anew(db_session: Session, image_ids: Sequence[int], reason: str = RECOMPUTED) -> None:
    """Have the features of these images made from their files by whoever extracts next."""
    for ids in in_portions(image_ids):
        db_session.execute(
            update(Image)
            .where(Image.id.in_(ids))
            .values(features=FeatureState.PENDING, pooled_ready=False, claimed_by=None, failure=reason)
        )
    _announce(db_session, image_ids)


def forget_features(db_session: Session) -> None:
    """The features and predictions of all images count no more; what a store holds of them may be taken again."""
    db_session.execute(update(Image).where(Image.features == FeatureState.READY).values(features=FeatureState.PENDING))
    nothing = {"pooled_ready": False, "claimed_by": None, "predicted_version": 0}
    db_session.execute(update(Image).values(**nothing, uncertainty=None, predicted_class_id=None))
    db_session.execute(delete(Prediction))
    add_event(db_session, "features", image_ids=[], all_named=False, **asdict(read_progress(db_session)))


def forget_predictions(db_session: Session, image_ids: Sequence[int]) -> None:
    """Predictions of pictures that are no longer there; the ML service removes maps that nothing names."""
    for ids in in_portions(image_ids):
        db_session.execute(
            update(Image)
            .where(Image.id.in_(ids))
            .values(predicted_version=0, uncertainty=None, predicted_class_id=None)
        )
        db_session.execute(delete(Prediction).where(Prediction.image_id.in_(ids)))


def refuse_images(db_session: Session, reasons: Mapping[int, str]) -> None:
    """Mark images as failed for these reasons."""
    for image_id, reason in reasons.items():
        db_session.execute(
            update(Image)
            .where(Image.id == image_id)
            .values(features=FeatureState.FAILED, failure=reason, claimed_by=None, feature_priority=REST)
        )
    _announce(db_session, list(reasons))


def _announce(db_session: Session, image_ids: Sequence[int]) -> None:
    if image_ids:
        named = list(image_ids[:IDS_PER_EVENT])
        progress = asdict(read_progress(db_session))
        add_event(db_session, "features", image_ids=named, all_named=len(image_ids) <= IDS_PER_EVENT, **progress)
