from __future__ import annotations

from typing import Any

import pytest

from backend.services import session_counts
from backend.services.session_counts import SessionCounts
from db.enums import ImageStatus
from db.queries.annotations import NewPoint, replace_points
from db.tables.images import Image


def click(session: Any, image_id: int) -> None:
    with session.database.write() as db_session:
        replace_points(db_session, db_session.get_one(Image, image_id), [NewPoint(1, 1, 1)])


def test_session_counts__fresh_in_a_small_session(segmentation_session: Any) -> None:
    counts = SessionCounts()
    for number in (1, 2):
        click(segmentation_session, number)
        with segmentation_session.database.read() as db_session:
            assert counts.images(db_session).by_status[ImageStatus.LABELED] == number
            assert counts.labels(db_session, number).by_class[0] == (1, number, number)


def test_session_counts__told_again_for_a_while_in_a_large_one(
    segmentation_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_counts, "LARGE", 0)
    counts = SessionCounts()
    for number in (1, 2):
        click(segmentation_session, number)
        with segmentation_session.database.read() as db_session:
            assert counts.images(db_session).by_status[ImageStatus.LABELED] == 1
            assert counts.labels(db_session, number).by_class[0] == (1, 1, 1)
    monkeypatch.setattr(session_counts, "IMAGES_FOR_S", 0.0)
    monkeypatch.setattr(session_counts, "LABELS_FOR_S", 0.0)
    with segmentation_session.database.read() as db_session:
        assert counts.images(db_session).by_status[ImageStatus.LABELED] == 2
        assert counts.labels(db_session, 2).by_class[0] == (1, 2, 2)
