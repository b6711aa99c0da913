"""Undo and redo while the server is away, in a real browser: the same states on screen, the same history after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.client import Client
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.test_flow_page import expect_image, expect_sign
from tests.end_to_end.test_tools import drag

ANNOTATIONS = "**/annotations**"
Serve = Callable[[ReadySession], str]


@pytest.fixture
def drawing_url(labeling: LabelingPage, serve_page: Serve, segmentation_session: ReadySession) -> str:
    """A segmentation session, open on the page; the server may go away."""
    labeling.watch.network_errors_allowed = True
    url = serve_page(segmentation_session)
    labeling.open(url)
    return url


def only_reading(route: Route) -> None:
    if route.request.method == "GET":
        route.continue_()
    else:
        route.abort()


def expect_seen(page: Page, image_id: int) -> None:
    """What is said before a frame has shown an image counts for the one before it."""
    expect_image(page, image_id)
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
    )


def expect_label(page: Page, name: str | None) -> None:
    badge = page.get_by_test_id("label-badge")
    if name is None:
        expect(badge).to_have_count(0)
    else:
        expect(badge).to_have_text(name)


def test_undo__of_what_was_sent_and_what_waits_over_a_reload_then_online(
    page: Page, serve_page: Serve, classification_session: ReadySession
) -> None:
    url = serve_page(classification_session)
    page.goto(f"{url}#/image/1")
    expect_seen(page, 1)
    page.keyboard.press("2")
    expect_image(page, 2)
    expect_sign(page, "Saved")
    page.keyboard.press("d")
    expect_seen(page, 1)
    page.route(ANNOTATIONS, only_reading)
    page.keyboard.press("3")
    expect_image(page, 2)
    expect_sign(page, "Offline – kept here")
    page.keyboard.press("Control+z")
    expect_image(page, 1)
    expect_label(page, "dog")
    page.keyboard.press("Control+z")
    expect_label(page, None)
    page.keyboard.press("Control+Shift+z")
    expect_label(page, "dog")
    with Client(url) as client:
        state = client.annotations(1)
        assert (state["revision"], state["label"]["class_id"]) == (1, 2)

        page.reload()
        expect_image(page, 1)
        expect_label(page, "dog")
        expect_sign(page, "Offline – kept here")
        page.keyboard.press("Control+z")
        expect_label(page, None)
        expect(page.get_by_test_id("undo")).to_be_disabled()
        expect(page.get_by_test_id("redo")).to_be_enabled()
        page.unroute(ANNOTATIONS)
        expect_sign(page, "Saved")
        state = client.annotations(1)
        assert (state["label"], state["can_undo"], state["can_redo"]) == (None, False, True)
        for name in ("dog", "bird"):
            page.keyboard.press("Control+Shift+z")
            expect_label(page, name)
        expect(page.get_by_test_id("redo")).to_be_disabled()
        assert client.annotations(1)["label"]["class_id"] == 3


def test_undo__somebody_else_was_there_meanwhile(
    page: Page, serve_page: Serve, classification_session: ReadySession
) -> None:
    url = serve_page(classification_session)
    with Client(url) as client:
        for image_id, undone in ((1, True), (4, False)):
            page.goto(f"{url}#/image/{image_id}")
            expect_seen(page, image_id)
            page.route(ANNOTATIONS, only_reading)
            for key in ("k", "2"):
                page.keyboard.press(key)
                expect(page.get_by_test_id("image-canvas")).not_to_have_attribute("data-image-id", str(image_id))
                page.keyboard.press("d")
                expect_seen(page, image_id)
            expect_sign(page, "Offline – kept here")
            page.keyboard.press("Control+z")
            expect(page.locator(".stage-chips").get_by_text("Skipped")).to_have_count(1)
            if undone:
                page.keyboard.press("Control+z")
                expect(page.locator(".stage-chips").get_by_text("Skipped")).to_have_count(0)
                expect(page.get_by_test_id("undo")).to_be_disabled()
            client.json("PUT", f"images/{image_id}/annotations", json={"class_id": 1})
            page.unroute(ANNOTATIONS)
            expect_sign(page, "Saved")
            expect_label(page, "cat")
            conflict = page.get_by_test_id("toast").filter(has_text="was changed elsewhere")
            expect(conflict).to_have_count(0 if undone else 1)
            state: dict[str, Any] = client.annotations(image_id)
            assert (state["revision"], state["label"]["class_id"]) == (1, 1)


def test_undo__what_only_the_server_knows_is_told(
    page: Page, serve_page: Serve, classification_session: ReadySession
) -> None:
    url = serve_page(classification_session)
    with Client(url) as client:
        client.json("PUT", "images/1/annotations", json={"class_id": 2})
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    page.route(ANNOTATIONS, only_reading)
    page.keyboard.press("Control+z")
    told = page.get_by_test_id("toast").filter(has_text="No answer came to the undo")
    expect(told).to_have_count(1)
    expect_label(page, "dog")
    expect(page.get_by_test_id("save-sign")).not_to_have_attribute("data-status", "saved")
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("toast").filter(has_text="is known to the server alone")).to_have_count(1)
    page.unroute(ANNOTATIONS)
    expect(page.get_by_test_id("save-sign")).to_have_attribute("data-status", "saved", timeout=20_000)
    with Client(url) as client:
        assert client.annotations(1)["label"] is None


def test_undo__boxes_drawn_offline_come_and_go_and_arrive(labeling: LabelingPage, drawing_url: str) -> None:
    page = labeling.page
    count = page.get_by_test_id("region-count")
    image_id = labeling.image_id
    page.route(ANNOTATIONS, only_reading)
    page.keyboard.press("w")
    for left in (0.1, 0.4, 0.7):
        drag(labeling, (left, 0.5), (left + 0.2, 0.8))
    expect(count).to_have_text("3")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(count).to_have_text("1")
    page.keyboard.press("Control+Shift+z")
    expect(count).to_have_text("2")
    page.reload()
    labeling.wait_for_image()
    expect(count).to_have_text("2")
    page.keyboard.press("Control+z")
    expect(count).to_have_text("1")
    page.keyboard.press("Control+Shift+z")
    page.unroute(ANNOTATIONS)
    expect_sign(page, "Saved")
    expect(count).to_have_text("2")
    with Client(drawing_url) as client:
        state = client.annotations(image_id)
        assert (len(state["regions"]), state["can_undo"], state["can_redo"]) == (2, True, True)
    page.keyboard.press("Control+Shift+z")
    expect(count).to_have_text("3")


def test_undo__a_region_removed_offline_is_back_with_its_shape_after_a_reload(
    labeling: LabelingPage, drawing_url: str
) -> None:
    page = labeling.page
    count = page.get_by_test_id("region-count")
    image_id = labeling.image_id
    page.keyboard.press("w")
    drag(labeling, (0.3, 0.3), (0.7, 0.7))
    expect(count).to_have_text("1")
    expect_sign(page, "Saved")
    labeling.wait_until(lambda: labeling.regions_ink() > 0, "the box to be drawn")
    page.route(ANNOTATIONS, only_reading)
    labeling.part("region-list").locator("button").first.focus()
    page.keyboard.press("Delete")
    expect(count).to_have_count(0)
    expect_sign(page, "Offline – kept here")
    page.reload()
    labeling.wait_for_image()
    expect(count).to_have_count(0)
    labeling.wait_until(lambda: labeling.regions_ink() == 0, "no box to be drawn")
    page.keyboard.press("Control+z")
    expect(count).to_have_text("1")
    labeling.wait_until(lambda: labeling.regions_ink() > 0, "the box to be drawn again")
    page.unroute(ANNOTATIONS)
    expect_sign(page, "Saved")
    with Client(drawing_url) as client:
        state = client.annotations(image_id)
        assert (len(state["regions"]), state["can_undo"], state["can_redo"]) == (1, True, True)
