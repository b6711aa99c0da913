from __future__ import annotations

import pytest
from sqlalchemy import update

from db.database import Database
from db.enums import FeatureState, ImageStatus
from db.queries.next_image import next_image
from db.queries.session_info import Strategy
from db.queries.upcoming import upcoming_images
from db.tables.images import Image


@pytest.fixture
def images(db: Database) -> Database:
    """Ten images that can be predicted; random order 1, 4, 7, 10, 3, 6, 9, 2, 5, 8; the sixth is least certain."""
    with db.write() as db_session:
        for n in range(1, 11):
            db_session.add(
                Image(
                    id=n,
                    path=f"{n}.png",
                    content_hash=f"{n:064d}",
                    width=8,
                    height=8,
                    features=FeatureState.READY,
                    random_key=((n - 1) * 7 % 10) / 10,
                    uncertainty=1 - abs(n - 6) / 10,
                    predicted_version=n,
                )
            )
    return db


def _ids(db: Database, strategy: Strategy, current_id: int | None, limit: int = 3) -> list[int]:
    with db.read() as db_session:
        return [image.id for image, _version in upcoming_images(db_session, strategy, current_id, limit)]


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("current_id", [None, 1, 6, 10])
def test_upcoming_images__begin_with_what_next_gives(
    images: Database, strategy: Strategy, current_id: int | None
) -> None:
    with images.read() as db_session:
        pick = next_image(db_session, strategy, current_id=current_id)
    assert pick is not None
    assert _ids(images, strategy, current_id)[0] == pick.row.image.id


def test_upcoming_images__go_on_from_the_open_one_and_round(images: Database) -> None:
    assert _ids(images, Strategy.SEQUENTIAL, 4) == [5, 6, 7]
    assert _ids(images, Strategy.SEQUENTIAL, 9) == [10, 1, 2]
    assert _ids(images, Strategy.SEQUENTIAL, 4, limit=50) == [5, 6, 7, 8, 9, 10, 1, 2, 3]


def test_upcoming_images__least_certain_first(images: Database) -> None:
    assert _ids(images, Strategy.LEAST_CONFIDENT, 6, limit=4) == [7, 5, 8, 4] or _ids(
        images, Strategy.LEAST_CONFIDENT, 6, limit=4
    ) == [5, 7, 8, 4]


def test_upcoming_images__leave_out_what_cannot_or_need_not_be_opened(images: Database) -> None:
    with images.write() as db_session:
        db_session.execute(update(Image).where(Image.id == 5).values(status=ImageStatus.LABELED))
        db_session.execute(update(Image).where(Image.id == 6).values(status=ImageStatus.SKIPPED))
        db_session.execute(update(Image).where(Image.id == 7).values(features=FeatureState.PENDING))
        db_session.execute(update(Image).where(Image.id == 8).values(features=FeatureState.FAILED))
    assert _ids(images, Strategy.SEQUENTIAL, 4) == [9, 10, 1]


def test_upcoming_images__say_the_version_of_their_prediction(images: Database) -> None:
    with images.read() as db_session:
        found = upcoming_images(db_session, Strategy.SEQUENTIAL, 1, 2)
    assert [(image.id, version) for image, version in found] == [(2, 2), (3, 3)]
