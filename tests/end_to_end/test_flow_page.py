"""From image to image in a real browser: at hand at once, nothing lost, the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.client import Client
from benchmarks.product import Product
from db.enums import FeatureState
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.waiting import wait_until

# Presses a key, and says what the page shows two frames later.
TWO_FRAMES_AFTER = """key => new Promise(resolve => {
  const canvas = document.querySelector('[data-testid=image-canvas]');
  dispatchEvent(new KeyboardEvent('keydown', { key, code: 'Key' + key.toUpperCase(), bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => resolve({ ...canvas.dataset })));
})"""


@pytest.fixture
def url(classification_session: ReadySession, serve_page: Callable[[ReadySession], str]) -> str:
    """A classification session of three classes and six images; nothing learns there."""
    return serve_page(classification_session)


def expect_image(page: Page, image_id: int) -> None:
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))


def expect_sign(page: Page, text: str) -> None:
    sign = page.get_by_test_id("save-sign")
    expect(sign).to_contain_text(text)
    if text == "Saved":
        # What is saved at once is never said to be on its way: the words alone may be of before.
        expect(sign).to_have_attribute("data-status", "saved")


def test_server_gone__labels_skips_and_comments_arrive_after_the_tab_was_closed(
    labeling: LabelingPage, start_product: Callable[[str], Product]
) -> None:
    product = start_product("classification")
    labeling.watch.network_errors_allowed = True
    page = labeling.page
    labeling.open(product.url)
    first = labeling.image_id
    page.wait_for_timeout(1_500)  # a person looks at it
    product.kill("backend")
    page.keyboard.press("2")
    labeling.wait_until(lambda: labeling.image_id != first, "the next image, which was at hand")
    second = labeling.image_id
    expect_sign(page, "Offline – kept here")
    page.keyboard.press("Shift+C")
    page.keyboard.type("nobody was there")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    labeling.wait_until(lambda: labeling.image_id not in {first, second}, "an image that was at hand, after the skip")
    other = page.context.new_page()
    page.close()
    product.start_backend()
    other.goto(product.url)
    expect_sign(other, "Saved")
    with Client(product.url) as client:

        def said(image_id: int) -> tuple[Any, Any]:
            state = client.annotations(image_id)
            return (state["label"] or {}).get("class_id"), state["skipped"]

        wait_until(lambda: said(first) == (2, False) and said(second) == (None, True), "both on the server", 10)
        assert client.json("GET", f"images/{second}")["comment"] == "nobody was there"
        assert [client.annotations(image_id)["revision"] for image_id in (first, second)] == [1, 1]


def test_next__shown_at_once_with_its_prediction(
    labeling: LabelingPage, start_product: Callable[[str], Product]
) -> None:
    product = start_product("segmentation")
    labeling.open(product.url)
    for right, down, key in ((0.3, 0.3, "1"), (0.7, 0.7, "2")):
        labeling.page.keyboard.press(key)
        labeling.click_image(right, down)
    labeling.wait_for_revision(2)
    labeling.page.wait_for_timeout(1_500)  # a person looks
    before = labeling.image_id
    asked: list[str] = []
    labeling.page.on("request", lambda request: asked.append(request.url))
    found = labeling.page.evaluate(TWO_FRAMES_AFTER, "f")
    assert int(found["imageId"]) != before
    assert int(found["predictionVersion"]) > 0
    assert not [url for url in asked if f"/images/{found['imageId']}/file" in url]
    back = labeling.page.evaluate(TWO_FRAMES_AFTER, "d")
    assert (int(back["imageId"]), int(back["predictionRevision"])) == (before, 2)
    shown = labeling.page.evaluate("performance.getEntriesByName('fewclick:image-shown').map(e => e.detail.image_id)")
    assert shown == [before, int(found["imageId"]), before]


def test_digits__count_for_the_image_on_screen_however_fast(page: Page, url: str) -> None:
    held: list[Route] = []
    page.route("**/api/images/next?*", lambda route: held.append(route))
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    for key in ("1", "3", "2"):
        page.keyboard.press(key)
    expect(page.get_by_text("went to image 1: it was still on screen").first).to_be_visible()
    for route in held:
        route.continue_()
    page.unroute_all()
    expect_image(page, 2)
    page.wait_for_timeout(100)  # a frame has shown it
    page.keyboard.press("3")
    expect_image(page, 3)
    expect_sign(page, "Saved")
    with Client(url) as client:
        labels = [client.annotations(image_id)["label"] for image_id in (1, 2, 3)]
    assert [label and label["class_id"] for label in labels] == [2, 3, None]


def test_back__of_the_browser_leads_through_the_images_and_keeps_what_was_labelled(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    for image_id in (2, 3):
        page.keyboard.press("Shift+ArrowRight")
        expect_image(page, image_id)
    page.wait_for_timeout(100)  # a frame has shown it
    page.keyboard.press("1")
    expect(page.get_by_test_id("image-canvas")).not_to_have_attribute("data-image-id", "3")
    for image_id in (3, 2, 1):
        page.evaluate("history.back()")
        expect_image(page, image_id)
        page.wait_for_url(f"**#/image/{image_id}")
    page.evaluate("history.forward()")
    expect_image(page, 2)
    expect_sign(page, "Saved")
    with Client(url) as client:
        assert client.annotations(3)["label"]["class_id"] == 1
    page.keyboard.press("g")
    page.wait_for_url("**#/gallery*")
    page.get_by_test_id("gallery-item-5").dblclick()
    expect_image(page, 5)
    page.evaluate("history.back()")
    page.wait_for_url("**#/gallery*")
    expect(page.locator("fewclick-gallery")).to_have_count(1)
    page.wait_for_timeout(200)  # a person sees it before going back again
    page.evaluate("history.back()")
    expect_image(page, 1)
    expect(page.locator("fewclick-gallery")).to_have_count(0)


def test_back__twice_within_a_moment_leads_two_images_back(page: Page, url: str) -> None:
    # Something else draws the page anew between the change of the address and its event, as news of a prediction may.
    page.add_init_script("addEventListener('popstate', () => document.querySelector('labeling-view')?.requestUpdate())")
    for _ in range(10):
        page.goto("about:blank")
        page.goto(f"{url}#/image/1")
        expect_image(page, 1)
        for image_id in (2, 3):
            page.keyboard.press("Shift+ArrowRight")
            expect_image(page, image_id)
        page.keyboard.press("g")
        page.wait_for_url("**#/gallery*")
        page.get_by_test_id("gallery-item-5").dblclick()
        expect_image(page, 5)
        page.evaluate("history.back()")
        page.wait_for_url("**#/gallery*")
        page.evaluate("() => { history.back(); history.back(); }")
        expect_image(page, 1)
        page.wait_for_url("**#/image/1")
        expect(page.locator("fewclick-gallery")).to_have_count(0)
        page.evaluate("history.forward()")
        expect_image(page, 2)


def test_address__the_browser_takes_no_more_of_them(page: Page, url: str) -> None:
    refusing = "() => { if (window.refused) throw new DOMException('too many', 'SecurityError'); }"
    page.add_init_script(
        f"for (const name of ['pushState', 'replaceState']) {{ const write = history[name].bind(history);"
        f" history[name] = (...said) => {{ ({refusing})(); write(...said); }}; }}"
    )
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    page.evaluate("window.refused = true")
    for image_id in (2, 3):
        page.keyboard.press("Shift+ArrowRight")
        expect_image(page, image_id)
    page.evaluate("window.refused = false")
    # A moment later it takes them again.
    page.wait_for_url("**#/image/3")
    page.evaluate("history.back()")
    expect_image(page, 1)


def test_server_cannot_save__said_and_sent_again(page: Page, url: str) -> None:
    answer = {"error": "StorageFullError", "detail": "the disk is full: nothing was saved"}
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    page.route("**/annotations**", lambda route: route.fulfill(status=507, json=answer))
    page.keyboard.press("3")
    expect_sign(page, "Server cannot save – kept here")
    assert "the disk is full" in (page.get_by_test_id("save-sign").get_attribute("title") or "")
    page.unroute("**/annotations**")
    expect_sign(page, "Saved")
    with Client(url) as client:
        assert client.annotations(1)["label"]["class_id"] == 3


def test_undo__a_skip_and_a_label_after_a_reload(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    page.keyboard.press("2")
    expect_image(page, 2)
    page.keyboard.press("k")
    expect_image(page, 3)
    expect_sign(page, "Saved")
    page.goto(f"{url}#/image/2")
    expect_image(page, 2)
    page.reload()
    expect_image(page, 2)
    page.keyboard.press("Control+z")
    expect(page.locator(".stage-chips")).not_to_contain_text("Skipped")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".stage-chips")).to_contain_text("Skipped")
    page.keyboard.press("d")
    expect_image(page, 1)
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("label-badge")).to_have_count(0)
    with Client(url) as client:
        states = [client.annotations(image_id) for image_id in (1, 2)]
    assert [(s["label"], s["skipped"], s["can_undo"], s["can_redo"]) for s in states] == [
        (None, False, False, True),
        (None, True, True, False),
    ]


def test_comment__saved_shown_found_and_jumped_to(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/2")
    expect_image(page, 2)
    page.keyboard.press("Shift+C")
    page.keyboard.type("Left edge f 1 blurred")
    expect_image(page, 2)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_test_id("comment-text")).to_have_count(0)
    expect_sign(page, "Saved")
    page.reload()
    expect(page.get_by_test_id("comment")).to_have_attribute("aria-label", "Comment: there is one")
    page.keyboard.press("g")
    page.get_by_test_id("gallery-search").fill("BLURRED")
    expect(page.locator("[data-testid^=gallery-item-]")).to_have_count(1)
    expect(page.get_by_test_id("tile-comment")).to_have_attribute("title", "Left edge f 1 blurred")
    page.get_by_test_id("gallery-search").fill("")
    page.get_by_test_id("close-gallery").click()
    page.keyboard.press("/")
    page.keyboard.type("image_")
    expect(page.locator("[data-testid^=jump-option-]")).to_have_count(6)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("jump-option-6")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect_image(page, 6)
    expect(page.get_by_test_id("arrival")).to_have_text("This image: chosen by you")
    with Client(url) as client:
        assert client.json("GET", "images/2")["comment_revision"] == 1


def test_strategy__by_keyboard_with_what_it_means(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)
    page.keyboard.press("Shift+N")
    expect(page.get_by_test_id("strategy")).to_be_focused()
    expect(
        page.get_by_text("Next goes to the following image in the list that has no answer yet.", exact=True)
    ).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_test_id("strategy")).to_have_value("random")
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    expect(page.get_by_test_id("arrival")).to_have_text("This image: drawn at random")


def test_failed_image__shown_by_its_address(
    page: Page, classification_session: ReadySession, serve_page: Callable[[ReadySession], str]
) -> None:
    failure = "image_3.png is damaged"
    classification_session.change_images({4: {"features": FeatureState.FAILED, "failure": failure, "width": None}})
    page.goto(f"{serve_page(classification_session)}#/image/4")
    expect(page.get_by_test_id("features-failed")).to_contain_text(failure)
    expect(page.get_by_test_id("image-id")).to_have_text("4")
