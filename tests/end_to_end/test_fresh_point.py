"""The newest point, which has a canvas of its own for a moment: nobody can tell it from the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.test_canvas import prefer, screenshot

REACH_PX = 12
SETTLED_MS = 900
"""From when on it is painted with the others."""
AWAY = "getComputedStyle(document.querySelectorAll('.stage-points')[1]).transform === 'matrix(1, 0, 0, 1, -40, 0)'"


@pytest.fixture
def url(segmentation_session: ReadySession, serve_page: Callable[[ReadySession], str]) -> str:
    return serve_page(segmentation_session)


@pytest.fixture
def opened(labeling: LabelingPage, url: str) -> LabelingPage:
    """The first image, one pixel of it a little less than one of the screen."""
    prefer(labeling.page, overlay_opacity=0)
    labeling.open(f"{url}#/image/1")
    return labeling


def around(labeling: LabelingPage, place: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Pixels of the screen around a place of the picture."""
    box = labeling.canvas.bounding_box()
    assert box is not None
    x, y = round(box["x"] + place[0] * box["width"]), round(box["y"] + place[1] * box["height"])
    return screenshot(labeling.page)[y - REACH_PX : y + REACH_PX, x - REACH_PX : x + REACH_PX]


def set_point(labeling: LabelingPage, place: tuple[float, float], *, button: str = "left") -> None:
    labeling.click_image(*place, button=button)
    # The ring around a point under the pointer is not the point.
    labeling.page.mouse.move(2, 2)


@pytest.mark.parametrize("before", [0, 2])
def test_point__looks_the_same_when_it_joins_the_others(opened: LabelingPage, before: int) -> None:
    for i in range(before):
        set_point(opened, (0.2 + 0.5 * i, 0.3))
        opened.page.wait_for_timeout(SETTLED_MS)
    place = (0.613, 0.457)
    bare = around(opened, place)
    set_point(opened, place)
    opened.page.wait_for_timeout(100)
    assert not opened.page.evaluate(AWAY)
    fresh = around(opened, place)
    opened.page.wait_for_timeout(SETTLED_MS)
    assert opened.page.evaluate(AWAY)
    settled = around(opened, place)
    assert not np.array_equal(fresh, bare)
    assert np.array_equal(settled, fresh)


def test_point__is_there_at_once_in_a_quick_series(opened: LabelingPage) -> None:
    places = [(0.2 + 0.12 * i, 0.4) for i in range(5)]
    bare = [around(opened, place) for place in places]
    for i, place in enumerate(places):
        set_point(opened, place, button="left" if i % 2 else "right")
    opened.page.wait_for_timeout(100)
    quick = [around(opened, place) for place in places]
    opened.page.wait_for_timeout(SETTLED_MS)
    settled = [around(opened, place) for place in places]
    assert all(not np.array_equal(one, other) for one, other in zip(quick, bare, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(quick, settled, strict=True))


def test_point__follows_the_view_and_undo(opened: LabelingPage) -> None:
    set_point(opened, (0.2, 0.3))
    opened.page.wait_for_timeout(SETTLED_MS)
    place = (0.5, 0.5)
    bare = around(opened, place)
    set_point(opened, place)
    opened.page.keyboard.press("+")
    opened.page.wait_for_timeout(100)
    fresh = around(opened, place)
    opened.page.wait_for_timeout(SETTLED_MS)
    assert np.array_equal(around(opened, place), fresh)
    opened.page.keyboard.press("Shift+1")
    opened.page.wait_for_timeout(SETTLED_MS)
    set_point(opened, (0.7, 0.7))
    opened.page.keyboard.press("Control+z")
    opened.page.wait_for_timeout(100)
    assert opened.page.evaluate(AWAY)
    opened.page.keyboard.press("Control+z")
    opened.page.wait_for_timeout(SETTLED_MS)
    assert np.array_equal(around(opened, place), bare)
