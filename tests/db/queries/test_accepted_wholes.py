from __future__ import annotations

from typing import Any

import pytest

from db.queries.accepted_wholes import accepted_one_by_one
from db.tables.annotations import AnnotationState
from tests.conftest import ReadySession


@pytest.mark.parametrize(
    ("first", "histories", "alone"),
    [
        (1, [[1], [1, 2]], {1, 2}),
        (1, [[1, 2], [1, 2, 3]], {3}),
        # A prediction accepted anew, of one region: it came in place of those before.
        (1, [[1, 2], [3]], set()),
        (1, [[1], [2]], {1}),
        # What stood in the oldest state that is kept is not known to have come alone.
        (5, [[1], [1, 2]], {2}),
    ],
)
def test_accepted_one_by_one__what_came_alone_and_in_place_of_no_other(
    segmentation_session: ReadySession, first: int, histories: list[list[int]], alone: set[int]
) -> None:
    with segmentation_session.database.write() as db_session:
        for position, ids in enumerate(histories, first):
            regions: list[dict[str, Any]] = [{"id": region_id, "origin": "accepted"} for region_id in ids]
            db_session.add(AnnotationState(image_id=1, position=position, state={"regions": regions}))
        db_session.flush()
        assert accepted_one_by_one(db_session, 1) == alone
