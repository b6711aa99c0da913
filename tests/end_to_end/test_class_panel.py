"""The classes beside and below the picture: many of them, and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import Watch
from tests.end_to_end.test_accessibility import SHIFTS
from tests.end_to_end.test_canvas import prefer
from tests.end_to_end.test_gallery import SURE, predict


@pytest.fixture
def url(classification_session: ReadySession, serve_page: Callable[[ReadySession], str], watch: Watch) -> str:  # noqa: ARG001
    """A page on predicted images, of a session with 10 classes."""
    predict(classification_session, SURE)
    return serve_page(classification_session)


def add_classes(page: Page, url: str, count: int) -> None:
    for number in range(count):
        assert page.request.post(f"{url}api/classes", data={"name": f"garment {number}"}).ok


def bottom(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def test_panel__ten_classes_leave_accept_and_quality_in_sight(page: Page, url: str) -> None:
    add_classes(page, url, 7)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(url)
    rows = page.locator(".class-row")
    expect(rows).to_have_count(10)
    expect(rows.nth(8).locator("kbd")).to_have_text("9")
    expect(rows.nth(9).locator("kbd")).to_have_text(".")
    for part in (page.get_by_test_id("accept-prediction"), page.locator("fewclick-quality-panel h2")):
        assert bottom(part) < 900


def test_panel__on_a_phone_the_classes_come_right_below_the_picture(page: Page, url: str) -> None:
    add_classes(page, url, 7)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(url)
    expect(page.locator(".class-row")).to_have_count(10)
    expect(page.get_by_test_id("hint")).to_contain_text("Tap a class.")
    classes, following = page.locator(".class-list").bounding_box(), page.get_by_test_id("next").bounding_box()
    assert classes is not None
    assert following is not None
    assert bottom(page.locator(".stage-frame")) <= classes["y"] < following["y"]
    assert bottom(page.locator(".class-row").nth(5)) < 844


@pytest.mark.parametrize("classes", [3, 10])
@pytest.mark.parametrize("hinted", [False, True], ids=["", "with hints"])
@pytest.mark.parametrize("size", [(390, 844), (360, 740)])
def test_phone__picture_classes_prediction_and_accept_are_in_sight(
    page: Page, url: str, size: tuple[int, int], classes: int, *, hinted: bool
) -> None:
    prefer(page, hint_dismissed=not hinted)
    add_classes(page, url, classes - 3)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{url}#/image/1")
    expect(page.locator(".class-row")).to_have_count(classes)
    expect(page.get_by_test_id("accept-prediction")).to_be_enabled()
    for row in page.locator(".class-row").all()[:6]:
        expect(row).to_be_in_viewport(ratio=1)
    for name in ("image-canvas", "top-class", "accept-prediction", "previous", "next"):
        expect(page.get_by_test_id(name)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for name in ("auto-advance", "strategy", "save"):
        page.get_by_test_id(name).scroll_into_view_if_needed()
        expect(page.get_by_test_id(name)).to_be_in_viewport()


@pytest.mark.parametrize("width", [320, 344, 360, 375, 390, 412, 430])
def test_phone__the_header_is_as_high_whatever_is_counted(page: Page, url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 812})
    page.goto(f"{url}#/image/1")
    count = page.get_by_test_id("progress")
    expect(count).to_have_text(re.compile("labelled"))
    page.get_by_role("button", name="Put this notice away").click()
    expect(page.get_by_test_id("ml-service")).to_be_visible()
    heights = set()
    for text in ("9 / 30 labelled", "10 / 30 labelled", "128 / 300 labelled", "12,345 / 50,000 labelled"):
        count.evaluate("(element, text) => { element.textContent = text; }", text)
        for saved in ("Saved", "Saving…", "12 unsaved – keep this page open"):
            page.locator(".save-sign > span").evaluate("(element, text) => { element.textContent = text; }", saved)
            box = page.locator("header").bounding_box()
            assert box is not None
            heights.add(box["height"])
    assert len(heights) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hint__no_message_lies_on_it(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 640})
    page.goto(f"{url}#/image/1")
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "1")
    page.keyboard.press("k")
    toast = page.get_by_test_id("toast").filter(has_text="skipped")
    expect(toast).to_be_visible()
    hint = page.get_by_test_id("hint").bounding_box()
    assert hint is not None
    assert bottom(toast) <= hint["y"]


@pytest.mark.parametrize("size", [(1280, 720), (1024, 640), (390, 844)])
def test_hint__lies_beside_the_picture_and_moves_nothing_when_it_goes(
    page: Page, url: str, size: tuple[int, int]
) -> None:
    names = ("fewclick-toolbar", "image-stage", "fewclick-image-strip", ".sidebar .class-list")
    parts = {name: page.locator(name) for name in names}
    page.add_init_script(SHIFTS)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{url}#/image/1")
    hint = page.get_by_test_id("hint")
    expect(hint).to_be_visible()
    expect(page.locator(".class-row")).to_have_count(3)
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "1")
    expect(page.get_by_test_id("progress")).to_be_attached()  # on a phone the notice has its place

    def places() -> dict[str, tuple[float, ...]]:
        boxes = {name: part.bounding_box() for name, part in parts.items()}
        return {name: (box["x"], box["y"], box["width"], box["height"]) for name, box in boxes.items() if box}

    before = places()
    assert bottom(parts["image-stage"]) <= (hint.bounding_box() or {})["y"]
    while hint.count() > 0:
        page.get_by_test_id("hint-done").click()
        page.wait_for_timeout(50)
        assert places() == before
    expect(page.get_by_test_id("hint-farewell")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_test_id("image-canvas")).not_to_have_attribute("data-image-id", "1")
    expect(page.get_by_test_id("hint-farewell")).to_have_count(0)
    after = places()
    assert after["image-stage"][:3] == before["image-stage"][:3]
    assert after["image-stage"][3] > before["image-stage"][3]
    assert {**after, "image-stage": ()} == {**before, "image-stage": ()}
    assert page.evaluate("window.shifts") == []
