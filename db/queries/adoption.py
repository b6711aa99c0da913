"""Another extractor for a session that people work in: annotations stay, features count no more, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus
from db.errors import ConflictError
from db.queries.checkpoints import deactivate
from db.queries.feature_repair import forget_features
from db.queries.feature_requests import expect_features, request_features
from db.queries.portions import in_portions
from db.queries.runs import ENDED
from db.queries.session_info import ADAPTER_BASE_KEY, ADAPTER_KEY, get_session_info
from db.tables.images import Image
from db.tables.learning import Run


def image_paths(db_session: Session, image_ids: Collection[int]) -> dict[int, str]:
    """Paths relative to the image root, by image id."""
    paths = dict[int, str]()
    for ids in in_portions(sorted(image_ids)):
        rows = select(Image.id, Image.path).where(Image.id.in_(ids))
        paths |= dict(db_session.execute(rows).all())
    return paths


def use_extractor(db_session: Session, extractor: Mapping[str, Any]) -> None:
    """Have the session go on with another extractor; features of the old one stay where they are stored.

    Whatever a service still computes with the old one is refused: heads, predictions and claims of before are void.
    """
    info = get_session_info(db_session)
    info.extractor = dict(extractor)
    info.head_version += 1
    forget_features(db_session)
    # Heads of other features predict nothing here any more; they stay as checkpoints.
    deactivate(db_session)


def adopt_extractor(
    db_session: Session,
    extractor: Mapping[str, Any],
    base: Mapping[str, Any],
    adapter_path: str | None,
    image_id: int | None,
) -> None:
    """As `use_extractor`, by an adapter on the same weights; features of what people look at and labelled come first.

    Args:
        base: The extractor without any adapter, kept for the way back.
        adapter_path: Relative to the session folder; None for the weights as they are.
        image_id: The image that the person has open.

    Raises:
        ConflictError: a run is at work or waits, which learns from the features there are.
    """
    going_on = db_session.scalar(select(Run.id).where(Run.state.not_in(ENDED)).limit(1))
    if going_on is not None:
        raise ConflictError(f"run {going_on} is at work or waits: stop it, or wait for its end, then adopt")
    info = get_session_info(db_session)
    info.config = {
        **info.config,
        ADAPTER_KEY: adapter_path,
        ADAPTER_BASE_KEY: {"adapted": dict(extractor), "base": dict(base)},
    }
    use_extractor(db_session, extractor)
    labelled = select(Image.id).where(Image.status == ImageStatus.LABELED, Image.features == FeatureState.PENDING)
    for ids in in_portions(db_session.scalars(labelled.order_by(Image.id))):
        expect_features(db_session, ids)
    if image_id is not None:
        request_features(db_session, image_id)
