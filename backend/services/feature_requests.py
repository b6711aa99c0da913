"""What people look at says which features are made first; free of cost where they are there already."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.context import AppContext
from db.queries.feature_requests import (
    NEXT,
    OPEN,
    expect_features,
    ids_ahead,
    is_behind,
    request_features,
    some_behind,
)
from db.queries.session_info import Strategy
from db.tables.images import Image

AHEAD = 3
"""Images that are prepared before a person comes to them."""


def note_opened(context: AppContext, image: Image) -> None:
    """A person looks at this image."""
    if is_behind(image, OPEN):
        with context.database.write() as db_session:
            request_features(db_session, image.id)


def note_expected(context: AppContext, image: Image) -> None:
    """A page fetches what belongs to this image, perhaps ahead of time."""
    if is_behind(image, NEXT):
        with context.database.write() as db_session:
            expect_features(db_session, [image.id])


def ids_to_expect(db_session: Session, strategy: Strategy, image: Image) -> list[int]:
    """Which images to prepare when this one is the next; none if that is known already."""
    ids = ids_ahead(db_session, strategy, image, AHEAD)
    return ids if some_behind(db_session, ids) else []


def expect(context: AppContext, image_ids: list[int]) -> None:
    """These images come up soon."""
    if image_ids:
        with context.database.write() as db_session:
            expect_features(db_session, image_ids)
