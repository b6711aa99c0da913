"""The images that a person is likely to open next, by the session's strategy: predicted before they are opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus
from db.queries.next_image import ASKING_THE_MODEL, next_image
from db.queries.session_info import Strategy
from db.queries.training_data import ImageRef
from db.tables.images import Image

_REF = (Image.id, Image.content_hash, Image.width, Image.height, Image.revision)
_WAITING = (Image.status == ImageStatus.UNLABELED, Image.features == FeatureState.READY)


def upcoming_images(
    db_session: Session,
    strategy: Strategy,
    current_id: int | None,
    limit: int,
    only: Sequence[ColumnElement[bool]] = (),
) -> list[tuple[ImageRef, int]]:
    """Up to `limit` images that can be predicted, in the order in which `next` would give them, each with the version
    of its newest prediction.

    Under a strategy that asks the model the order is that of the predictions there are. The first is then what
    `next_image` picks; an audit image is among them as soon as it is due.

    Args:
        only: conditions that the images fulfil.
    """
    waiting = select(*_REF, Image.predicted_version).where(*_WAITING, *only)
    if current_id is not None:
        waiting = waiting.where(Image.id != current_id)
    if strategy in ASKING_THE_MODEL:
        pick = next_image(db_session, strategy, current_id=current_id)
        first = [] if pick is None else _read(db_session, waiting.where(Image.id == pick.row.image.id))
        least_certain = waiting.where(Image.uncertainty.is_not(None)).order_by(Image.uncertainty.desc())
        return _without_repeats([*first, *_read(db_session, least_certain.limit(limit))], limit)
    key = Image.id if strategy is Strategy.SEQUENTIAL else Image.random_key
    ordered = waiting.order_by(key).limit(limit)
    at = None if current_id is None else db_session.scalar(select(key).where(Image.id == current_id))
    following = [] if at is None else _read(db_session, ordered.where(key > at))
    if len(following) == limit:
        return following
    return _without_repeats([*following, *_read(db_session, ordered)], limit)


def _read(db_session: Session, statement: Select[*tuple[Any, ...]]) -> list[tuple[ImageRef, int]]:
    return [(ImageRef(*row[:-1]), row[-1]) for row in db_session.execute(statement)]


def _without_repeats(images: Sequence[tuple[ImageRef, int]], limit: int) -> list[tuple[ImageRef, int]]:
    by_id = {ref.id: (ref, version) for ref, version in reversed(images)}
    order = dict.fromkeys(ref.id for ref, _version in images)
    return [by_id[image_id] for image_id in order][:limit]
