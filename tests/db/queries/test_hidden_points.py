"""Points that nobody sees, on the way through the history."""

from __future__ import annotations

import pytest

from db.enums import Origin
from db.queries.annotation_state import State, StoredPoint
from db.queries.hidden_points import hidden_points_after

SHOWN, REMOVED = 1, 2
SEEN = (0, SHOWN)
Places = list[int | tuple[int, int]]


@pytest.mark.parametrize(
    ("now", "left", "after", "direction", "expected"),
    [
        pytest.param([], [], [3], 1, [3], id="redone"),
        pytest.param([3], [3], [], 1, [], id="a removal redone"),
        pytest.param([3], [3], [4], 1, [4], id="a move redone"),
        pytest.param([3], [3], [3, 3], 1, [3, 3], id="a second one at the same place"),
        pytest.param([3], [3], [], -1, [3], id="set since: stays"),
        pytest.param([], [], [3], -1, [3], id="removed since: back"),
        pytest.param([4], [4], [3], -1, [4], id="moved since: stays where it is"),
        pytest.param([4], [4], [3, 5], -1, [4, 5], id="one of two removed since, the other moved"),
        pytest.param([3], [], [3], 1, [3], id="left in place, and redone"),
        pytest.param([4], [], [3], 1, [4], id="left in place, before it was moved"),
        pytest.param([4], [3], [4], 1, [4], id="left in place, as it is moved"),
        pytest.param([0], [0], [SEEN], -1, [], id="was of another class"),
        pytest.param([], [SEEN], [0], 1, [0], id="is of the removed class again"),
    ],
)
def test_hidden_points_after(now: Places, left: Places, after: Places, direction: int, expected: Places) -> None:
    found = hidden_points_after(points(now), State(points(left)), State(points(after)), {SHOWN}, direction)
    assert found == points(expected)


def points(places: Places) -> tuple[StoredPoint, ...]:
    """Of the removed class, unless one is named."""
    named = (place if isinstance(place, tuple) else (place, REMOVED) for place in places)
    return tuple(StoredPoint(float(x), 0.0, class_id, Origin.HUMAN) for x, class_id in named)
