"""What people look at, as the priority of features that are still to be made."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus
from db.queries.next_image import ASKING_THE_MODEL
from db.queries.session_info import Strategy
from db.tables.images import Image

REST, NEXT, OPEN = 0, 1, 2
"""`Image.feature_priority`: nobody asks for it, it comes up soon, a person looks at it."""


def is_behind(image: Image, priority: int) -> bool:
    """Whether the features of an image are still to be made, at a lower priority than this."""
    return image.features is FeatureState.PENDING and image.feature_priority < priority


def some_behind(db_session: Session, image_ids: Collection[int]) -> bool:
    """Whether nobody has said yet that one of these images comes up soon, and its features are still to be made."""
    rows = (Image.id.in_(image_ids), Image.features == FeatureState.PENDING, Image.feature_priority == REST)
    return db_session.scalar(select(Image.id).where(*rows).limit(1)) is not None


def request_features(db_session: Session, image_id: int) -> None:
    """A person looks at this image: its features come first, and those of images opened before do no longer.

    Images that were annotated meanwhile come next: the head is to learn from them.
    """
    pending = Image.features == FeatureState.PENDING
    others = (pending, Image.feature_priority == OPEN, Image.id != image_id)
    behind = case((Image.label_sequence > 0, NEXT), else_=REST)
    db_session.execute(update(Image).where(*others).values(feature_priority=behind))
    this = (pending, Image.id == image_id, Image.feature_priority != OPEN)
    db_session.execute(update(Image).where(*this).values(feature_priority=OPEN))


def expect_features(db_session: Session, image_ids: Collection[int]) -> None:
    """These images come up soon."""
    rows = (Image.id.in_(image_ids), Image.features == FeatureState.PENDING, Image.feature_priority == REST)
    db_session.execute(update(Image).where(*rows).values(feature_priority=NEXT))


def expect_first(db_session: Session, strategy: Strategy, count: int) -> None:
    """The images that a session shows first, so that there is something to click on soon."""
    first = select(Image.id).where(Image.features == FeatureState.PENDING).order_by(order_of_use(strategy)).limit(count)
    expect_features(db_session, list(db_session.scalars(first)))


def ids_ahead(db_session: Session, strategy: Strategy, image: Image, count: int) -> list[int]:
    """The image and those that come after it in the order of the session, as far as that is known beforehand."""
    key = Image.id if strategy is Strategy.SEQUENTIAL else Image.random_key
    if strategy in ASKING_THE_MODEL:
        return [image.id]
    ahead = select(Image.id).where(Image.status == ImageStatus.UNLABELED, key >= getattr(image, key.key))
    return list(db_session.scalars(ahead.order_by(key).limit(count)))


def order_of_use(strategy: Strategy) -> ColumnElement[Any]:
    """As `next_image` goes through images that nothing has predicted."""
    return Image.id.asc() if strategy is Strategy.SEQUENTIAL else Image.random_key.asc()
