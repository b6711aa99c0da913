"""Which changes people's pace is computed from."""

from __future__ import annotations

from typing import Any

import pytest

from db.enums import Origin
from db.queries import pace
from db.queries.annotations import NewPoint
from db.queries.pace import newest_changes
from tests.db.queries.annotating import change

IMPORTED = NewPoint(1, 1, 1)


def firsts(session: Any, limit: int = 500) -> list[bool]:
    with session.database.read() as db_session:
        return [is_first for _at, is_first in newest_changes(db_session, limit)]


def test_newest_changes__corrections_of_an_imported_image_count(segmentation_session: Any) -> None:
    session = segmentation_session
    imported = change(session, 1, "replace_points", [IMPORTED], origin=Origin.IMPORTED)
    assert firsts(session) == []
    kept = NewPoint(1, 1, 1, id=imported["points"][0]["id"])
    for count in range(1, 6):
        change(session, 1, "replace_points", [kept, *(NewPoint(2, n, 2) for n in range(count))])
    assert firsts(session) == [False] * 5
    change(session, 2, "replace_points", [NewPoint(2, 2, 2)])
    assert firsts(session) == [False] * 5 + [True]
    assert firsts(session, 2) == [False, True]


def test_newest_changes__a_later_import_counts_for_nothing(segmentation_session: Any) -> None:
    session = segmentation_session
    change(session, 1, "replace_points", [NewPoint(2, 2, 2)])
    change(session, 1, "replace_points", [IMPORTED], origin=Origin.IMPORTED)
    assert firsts(session) == [True]
    change(session, 1, "clear")
    assert firsts(session) == [False, False]


def test_newest_changes__looks_through_a_bounded_number_of_states(
    segmentation_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SCANNED_PER_CHANGE", 1)
    change(segmentation_session, 1, "replace_points", [NewPoint(2, 2, 2)])
    change(segmentation_session, 2, "replace_points", [IMPORTED], origin=Origin.IMPORTED)
    assert firsts(segmentation_session, 1) == []
    assert firsts(segmentation_session, 2) == [True]
