"""The classes beside and below the picture: many of them, and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import Watch
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
    expect(page.get_by_test_id("hint")).to_contain_text("Tap a class below")
    classes, following = page.locator(".class-list").bounding_box(), page.get_by_test_id("next").bounding_box()
    assert classes is not None
    assert following is not None
    assert bottom(page.locator(".stage-frame")) <= classes["y"] < following["y"]
    assert bottom(page.locator(".class-row").nth(5)) < 844


def test_hint__swallows_clicks(page: Page, url: str) -> None:
    page.goto(url)
    hint = page.get_by_test_id("hint")
    expect(hint).to_be_visible()
    box = hint.bounding_box()
    assert box is not None
    hit = "([x, y]) => document.elementFromPoint(x, y).closest('[data-testid=hint]') !== null"
    assert page.evaluate(hit, [box["x"] + 40, box["y"] + box["height"] / 2])
