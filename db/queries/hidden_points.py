"""Which points of removed classes lie on an image after a step through its history, for when their class is restored.

States of the past name points by content alone: what tells a moved point from a removed one is counted, class by class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence

from db.enums import Origin
from db.queries.annotation_state import State, StoredPoint

Content = tuple[float, float, int, Origin]


def hidden_points_after(
    now: Sequence[StoredPoint], left: State, after: State, present: Container[int], direction: int
) -> tuple[StoredPoint, ...]:
    """The hidden points of an image that goes from one state of its history to another.

    Forward they change as they did then. Backward none goes that nobody saw going: what was set since stays as it is
    now, and what had been removed since comes back.

    Args:
        now: the hidden points in force; beside those of `left`, where a step back has left some in place.
        left: the state of the history that the image leaves.
        after: the one that it goes to.
        present: classes that are not removed.
        direction: -1 or 1.
    """
    before, then = _hidden(left, present), _hidden(after, present)
    if direction < 0:
        came, gone = _backward(Counter(point.content for point in now), before, then, _taken_back(left, after, present))
    else:
        came, gone = _forward(Counter(point.content for point in now), before, then)
    back = [point for point in after.points if _take(came, point)]
    return (*(point for point in now if not _take(gone, point)), *back)


def _backward(
    now: Counter[Content], before: Counter[Content], then: Counter[Content], taken_back: Counter[Content]
) -> tuple[Counter[Content], Counter[Content]]:
    """What comes and what goes."""
    came, gone = then - before, before - then
    # What a step back has left in place is what comes back now, or a later form of it.
    ahead = now - before
    came, ahead = came - ahead, ahead - came
    return _without_pairs(_without_pairs(came, ahead), gone - taken_back), taken_back


def _forward(
    now: Counter[Content], before: Counter[Content], then: Counter[Content]
) -> tuple[Counter[Content], Counter[Content]]:
    """What comes and what goes; once nothing is left in place of what comes later, all is as it was then."""
    gone = before - then
    stays = now - gone
    return _without_pairs(then - stays, stays - then), gone


def _hidden(state: State, present: Container[int]) -> Counter[Content]:
    return Counter(point.content for point in state.points if point.class_id not in present)


def _without_pairs(came: Counter[Content], others: Counter[Content]) -> Counter[Content]:
    """What came without another point of its class to be a form of."""
    pairs = Counter(class_id for _x, _y, class_id, _origin in others.elements())
    left: Counter[Content] = Counter()
    for content in came.elements():
        if pairs[content[2]] > 0:
            pairs[content[2]] -= 1
        else:
            left[content] += 1
    return left


def _taken_back(left: State, after: State, present: Container[int]) -> Counter[Content]:
    """What another class takes the place of, which shows: the same point, before it was given its class."""
    gone = _hidden(left, present) - _hidden(after, present)
    shown = _places(after, present) - _places(left, present)
    taken: Counter[Content] = Counter()
    for content in gone.elements():
        if shown[content[:2]] > 0:
            shown[content[:2]] -= 1
            taken[content] += 1
    return taken


def _places(state: State, present: Container[int]) -> Counter[tuple[float, float]]:
    return Counter((point.x, point.y) for point in state.points if point.class_id in present)


def _take(counted: Counter[Content], point: StoredPoint) -> bool:
    if counted[point.content] <= 0:
        return False
    counted[point.content] -= 1
    return True
