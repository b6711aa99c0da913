"""The newest point, which has a canvas of its own for a moment: nobody can tell it from the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import expect

from benchmarks.client import Client
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


def settles_as_it_is(labeling: LabelingPage, place: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """What is seen around a place soon after a change, which is what is seen there for good."""
    labeling.page.wait_for_timeout(100)
    soon = around(labeling, place)
    labeling.page.wait_for_timeout(SETTLED_MS)
    assert labeling.page.evaluate(AWAY)
    assert np.array_equal(around(labeling, place), soon)
    return soon


def test_point__stays_on_its_place_when_the_window_changes(opened: LabelingPage) -> None:
    place = (0.5, 0.5)
    set_point(opened, (0.2, 0.3))
    opened.page.wait_for_timeout(SETTLED_MS)
    opened.page.set_viewport_size({"width": 1100, "height": 700})
    bare = settles_as_it_is(opened, place)
    opened.page.set_viewport_size({"width": 1280, "height": 800})
    opened.page.wait_for_timeout(SETTLED_MS)
    set_point(opened, place)
    opened.page.set_viewport_size({"width": 1100, "height": 700})
    assert not np.array_equal(settles_as_it_is(opened, place), bare)


def test_point__has_the_size_of_the_others_at_every_pixel_ratio(opened: LabelingPage) -> None:
    page = opened.page
    screen = page.context.new_cdp_session(page)
    sizes = {"width": 1280, "height": 800, "mobile": False}
    # Of both its canvas has as many pixels.
    for i, ratio in enumerate((1.15, 1.19)):
        screen.send("Emulation.setDeviceMetricsOverride", {**sizes, "deviceScaleFactor": ratio})
        page.wait_for_function(f"Math.abs(devicePixelRatio - {ratio}) < 1e-3")
        page.wait_for_timeout(SETTLED_MS)
        set_point(opened, (0.3 + 0.2 * i, 0.5))
        page.wait_for_timeout(100)
        assert not page.evaluate(AWAY)
        shown = page.evaluate(
            "(e => e.width / parseFloat(e.style.width))(document.querySelectorAll('.stage-points')[1])"
        )
        assert shown == pytest.approx(ratio, abs=0.001)


def test_point__follows_the_colour_of_its_class(opened: LabelingPage, url: str) -> None:
    place = (0.5, 0.5)
    set_point(opened, place)
    opened.page.wait_for_timeout(100)
    before = around(opened, place)
    with Client(url) as client:
        client.json("PATCH", "classes/1", json={"color": "#0000FF"})
    labelled = opened.part("class-1")
    opened.wait_until(lambda: "0000ff" in (labelled.get_attribute("style") or "").lower(), "the colour")
    after = settles_as_it_is(opened, place)
    assert not np.array_equal(after, before)
    middle = after[REACH_PX, REACH_PX].astype(int)
    assert middle[2] > max(middle[0], middle[1]) + 100


def test_point__is_hidden_with_the_others(opened: LabelingPage) -> None:
    place = (0.5, 0.5)
    bare = around(opened, place)
    set_point(opened, place)
    opened.page.keyboard.press("h")
    assert np.array_equal(settles_as_it_is(opened, place), bare)
    opened.page.keyboard.press("h")
    assert not np.array_equal(settles_as_it_is(opened, place), bare)


def test_point__does_not_stay_on_the_next_image(opened: LabelingPage, url: str) -> None:
    place = (0.5, 0.5)
    opened.page.goto(f"{url}#/image/2")
    expect(opened.canvas).to_have_attribute("data-image-id", "2")
    bare = settles_as_it_is(opened, place)
    opened.page.goto(f"{url}#/image/1")
    expect(opened.canvas).to_have_attribute("data-image-id", "1")
    opened.page.wait_for_timeout(SETTLED_MS)
    set_point(opened, place)
    opened.page.keyboard.press("Shift+ArrowRight")
    expect(opened.canvas).to_have_attribute("data-image-id", "2")
    assert np.array_equal(settles_as_it_is(opened, place), bare)
