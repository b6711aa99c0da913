"""Lists of images, page by page."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from db.enums import ImageStatus, Origin
from db.errors import InvalidInputError
from db.queries import annotations
from db.queries.image_filters import ImageFilter
from db.queries.image_lists import ImageSort, list_ids, list_images, list_images_at
from db.queries.images import get_image


def walk(session: Any, sort: ImageSort, limit: int, wanted: ImageFilter | None = None) -> list[int]:
    ids: list[int] = []
    cursor: str | None = None
    while True:
        with session.database.read() as db_session:
            page = list_images(db_session, wanted or ImageFilter(), sort=sort, cursor=cursor, limit=limit)
        ids += [row.image.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            assert page.total == len(ids)
            return ids


@pytest.mark.parametrize("sort", list(ImageSort))
@pytest.mark.parametrize("limit", [1, 2, 4, 6, 50])
def test_list_images__pages_hold_each_image_once(segmentation_session: Any, sort: ImageSort, limit: int) -> None:
    segmentation_session.change_images(
        {
            2: {"uncertainty": 0.5, "predicted_class_id": 2},
            3: {"uncertainty": 0.5, "predicted_class_id": 1, "label_sequence": 1},
            5: {"uncertainty": 0.9, "predicted_class_id": 1, "label_sequence": 2},
        }
    )
    expected = {
        ImageSort.UNCERTAINTY: [5, 3, 2, 6, 4, 1],
        ImageSort.CONFIDENCE: [2, 3, 5, 1, 4, 6],
        ImageSort.PREDICTED: [3, 5, 2, 1, 4, 6],
        ImageSort.CHANGED: [5, 3, 6, 4, 2, 1],
    }.get(sort, [1, 2, 3, 4, 5, 6])
    with segmentation_session.database.read() as db_session:
        paged = [
            row.image.id
            for offset in range(0, 6, limit)
            for row in list_images_at(db_session, ImageFilter(), sort=sort, offset=offset, limit=limit).rows
        ]
    assert paged == expected
    assert walk(segmentation_session, sort, limit) == expected


def test_list_images__two_queries_whatever_the_length(segmentation_session: Any) -> None:
    statements: list[str] = []
    event.listen(
        segmentation_session.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_rest: statements.append(statement),
    )
    with segmentation_session.database.read() as db_session:
        list_images(db_session, ImageFilter(), sort=ImageSort.ID, cursor=None, limit=100)
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 2


def test_list_images__filters(classification_session: Any) -> None:
    with classification_session.database.write() as db_session:
        annotations.set_label(db_session, get_image(db_session, 2), 3)
        annotations.skip(db_session, get_image(db_session, 4))
    session = classification_session
    assert walk(session, ImageSort.ID, 10, ImageFilter(status=ImageStatus.LABELED)) == [2]
    assert walk(session, ImageSort.ID, 10, ImageFilter(status=ImageStatus.SKIPPED)) == [4]
    assert walk(session, ImageSort.ID, 10, ImageFilter(class_id=3)) == [2]
    assert walk(session, ImageSort.ID, 10, ImageFilter(class_id=1)) == []
    # image_4.png is number 5; 4 is also an id.
    assert walk(session, ImageSort.ID, 10, ImageFilter(q="4")) == [4, 5]
    assert walk(session, ImageSort.ID, 10, ImageFilter(q="IMAGE_")) == [1, 2, 3, 4, 5, 6]
    assert walk(session, ImageSort.ID, 10, ImageFilter(q="%")) == []


@pytest.mark.parametrize("cursor", ["x", "WzFd", "!!", "W10=", "eyJhIjogMX0=", "WyJwYXRoIiwgMSwgMV0="])
def test_list_images__a_foreign_cursor_is_refused(segmentation_session: Any, cursor: str) -> None:
    with segmentation_session.database.read() as db_session, pytest.raises(InvalidInputError, match="not one of this"):
        list_images(db_session, ImageFilter(), sort=ImageSort.ID, cursor=cursor, limit=10)


@pytest.mark.parametrize(
    ("wanted", "sort", "index"),
    [
        (ImageFilter(), ImageSort.UNCERTAINTY, "ix_images_uncertainty"),
        (ImageFilter(), ImageSort.CONFIDENCE, "ix_images_uncertainty"),
        (ImageFilter(), ImageSort.CHANGED, "ix_images_label_sequence"),
        (ImageFilter(predicted_class_id=1), ImageSort.CONFIDENCE, "ix_images_predicted"),
        (ImageFilter(min_confidence=0.9), ImageSort.CONFIDENCE, "ix_images_uncertainty"),
    ],
)
def test_list_ids__walks_an_index(segmentation_session: Any, wanted: ImageFilter, sort: ImageSort, index: str) -> None:
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT images.id"):
            raw = connection.connection.cursor()
            plans.append(" ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)))
            raw.close()

    event.listen(segmentation_session.database.engine, "before_cursor_execute", explain)
    with segmentation_session.database.read() as db_session:
        list_ids(db_session, wanted, sort=sort, offset=3, limit=2)
    assert len(plans) == 1
    assert index in plans[0]
    assert "TEMP B-TREE" not in plans[0]


def test_list_images__by_what_a_tile_shows(classification_session: Any) -> None:
    session = classification_session
    session.change_images(
        {
            1: {"uncertainty": 0.1, "predicted_class_id": 3},
            2: {"uncertainty": 0.3, "predicted_class_id": 3},
            5: {"uncertainty": 0.6, "predicted_class_id": 2},
        }
    )
    with session.database.write() as db_session:
        annotations.set_label(db_session, get_image(db_session, 2), 2)
        annotations.set_label(db_session, get_image(db_session, 4), 3, origin=Origin.ACCEPTED)
    assert walk(session, ImageSort.ID, 10, ImageFilter(shown_class_id=3)) == [1, 4]
    assert walk(session, ImageSort.ID, 10, ImageFilter(predicted_class_id=3)) == [1, 2]
    assert walk(session, ImageSort.ID, 10, ImageFilter(reviewed=True)) == [2]
    assert walk(session, ImageSort.ID, 10, ImageFilter(reviewed=False)) == [4]
    assert walk(session, ImageSort.ID, 10, ImageFilter(min_confidence=0.7)) == [1, 2]
    assert walk(session, ImageSort.ID, 10, ImageFilter(min_confidence=0.4, max_confidence=0.7)) == [2, 5]
    assert walk(session, ImageSort.ID, 10, ImageFilter(ids=(6, 2))) == [2, 6]
