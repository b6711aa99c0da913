"""Keys that people change, hints that go away, details for a report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ReadySession

Serve = Callable[[ReadySession], str]


@pytest.fixture
def url(classification_session: ReadySession, serve_page: Serve) -> str:
    """A classification session of three classes and six images."""
    return serve_page(classification_session)


def open_page(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/1")
    expect_image(page, 1)


def expect_image(page: Page, image_id: int) -> None:
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))


def give_key(page: Page, command: str, key: str) -> None:
    page.get_by_test_id(f"key-of-{command}").click()
    page.keyboard.press(key)


def test_keys__are_changed_with_the_conflict_named_and_kept(page: Page, url: str, tmp_path: Path) -> None:
    open_page(page, url)
    page.keyboard.press("?")
    page.get_by_test_id("key-search").fill("skip")
    # Letters that are typed mean nothing else.
    expect(page.get_by_test_id("key-of-next")).to_have_count(0)
    give_key(page, "skip", "Space")
    expect(page.get_by_test_id("key-clash")).to_contain_text("Space moves the image")
    page.keyboard.press("f")
    expect(page.get_by_test_id("key-clash")).to_contain_text("F is “Next image”, which would keep →.")
    page.get_by_test_id("key-replace").click()
    expect(page.get_by_test_id("key-of-skip")).to_have_text("F")
    with page.expect_download() as waiting:
        page.get_by_test_id("settings-export").click()
    settings = tmp_path / "settings.json"
    waiting.value.save_as(settings)
    assert json.loads(settings.read_text())["keys"] == {"skip": ["f"], "next": ["ArrowRight"]}
    page.keyboard.press("Escape")
    page.reload()
    expect_image(page, 1)
    expect(page.get_by_test_id("skip")).to_have_attribute("title", re.compile(r"^Skip: .* \(F\)$"))
    expect(page.get_by_test_id("next")).to_have_attribute("title", "Next (→)")
    field = page.get_by_test_id("jump-to-image")
    field.press("f")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect_image(page, 1)
    page.keyboard.press("Escape")  # closes what was found
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Escape")  # leaves the field
    expect(field).not_to_be_focused()
    page.keyboard.press("f")
    expect_image(page, 2)
    page.keyboard.press("?")
    page.get_by_test_id("reset-next").click()
    expect(page.get_by_test_id("key-of-skip")).to_have_text("no key")
    page.get_by_test_id("keys-reset-all").click()
    expect(page.get_by_test_id("key-of-skip")).to_have_text("KorX")
    page.get_by_test_id("settings-import").set_input_files(settings)
    expect(page.get_by_test_id("key-of-skip")).to_have_text("F")


def test_hints__follow_what_is_done_and_never_come_back(page: Page, url: str) -> None:
    open_page(page, url)
    hint = page.get_by_test_id("hint")
    expect(hint).to_have_attribute("data-hint", "classification:label")
    page.keyboard.press("1")
    expect(hint).to_have_attribute("data-hint", "classification:undo")
    page.keyboard.press("Control+z")
    expect(hint).to_have_attribute("data-hint", "classification:accept")
    page.reload()
    expect(hint).to_have_attribute("data-hint", "classification:accept")
    page.get_by_test_id("hint-done").click()
    expect(hint).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("image-canvas")).to_be_visible()
    expect(hint).to_have_count(0)


def test_hints__are_those_for_fingers_on_a_touch_screen_and_follow_the_window(page: Page, url: str) -> None:
    hint = page.get_by_test_id("hint")
    open_page(page, url)
    expect(hint).to_contain_text("Press 1 to 9")
    page.set_viewport_size({"width": 500, "height": 800})
    expect(hint).to_contain_text("Tap a class.")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(hint).to_contain_text("Press 1 to 9")
    assert page.context.browser is not None
    tablet = page.context.browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True, is_mobile=True)
    try:
        touched = tablet.new_page()
        open_page(touched, url)
        expect(touched.get_by_test_id("hint")).to_contain_text("Tap a class.")
    finally:
        tablet.close()


def test_report__is_copied_from_an_error_and_from_help(page: Page, url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, url)
    page.route(
        "**/api/training/start",
        lambda route: route.fulfill(status=500, json={"error": "X", "detail": "/home/ann/a.png broke"}),
    )
    page.keyboard.press("s")
    page.get_by_test_id("toast-copy").click()
    expect(page.get_by_test_id("toast").filter(has_text="Details copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    for part in (
        "version: ",
        "browser: Mozilla",
        "session: classification",
        "POST api/training/start 500",
        "…/a.png broke",
    ):
        assert part in text
    assert "/home/ann" not in text
    page.keyboard.press("?")
    page.get_by_test_id("copy-details").click()
    expect(page.get_by_test_id("toast").filter(has_text="Details copied")).to_be_visible()


def test_progress__says_what_is_done_and_what_is_left(page: Page, url: str) -> None:
    open_page(page, url)
    for image_id, key in ((2, "1"), (3, "2")):
        page.keyboard.press(key)
        expect_image(page, image_id)
    page.get_by_test_id("progress-open").click()
    dialog = page.get_by_test_id("progress-dialog")
    expect(dialog.get_by_test_id("progress-images")).to_contain_text("of 6 images answered")
    expect(dialog.get_by_test_id("time-to-finish")).to_contain_text("after five images")
    expect(dialog.get_by_test_id("progress-classes").locator("tbody tr")).to_have_count(3)
    expect(dialog.get_by_test_id("progress-features")).to_contain_text("6 images")
    expect(dialog.get_by_test_id("progress-stop")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_dialogs__open_without_the_server_once_the_page_rested(page: Page, url: str) -> None:
    with page.expect_request_finished(lambda request: "ProgressDialog" in request.url and request.url.endswith(".js")):
        open_page(page, url)
    page.route("**/*", lambda route: route.abort())
    for key, heading in (("l", "Classes"), ("i", "Progress"), ("?", "Keys")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]").get_by_role("heading", name=heading).first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)


def test_dialogs__that_cannot_come_say_so(page: Page, url: str) -> None:
    page.route("**/ClassEditor*", lambda route: route.abort())
    open_page(page, url)
    page.keyboard.press("l")
    expect(page.get_by_text("This part of the page could not be loaded")).to_be_visible()
