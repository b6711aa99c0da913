"""What is done to a page before its picture is taken: keys, clicks, and what a server in trouble would answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Error, Page, Route, expect

from benchmarks.client import Client

WAIT_MS = 30_000
NUMBER = re.compile(r"^\d+$")
MANY_POINTS, REGIONS, TORN = 4, 2, 3
"""Ids of tissue images: with all classes, with a region of each kind, with a comment."""
UNANSWERED = 12
"""Id of a tissue image that nobody has answered."""


@dataclass(frozen=True)
class Shown:
    """A page with one session, as a view prepares it."""

    page: Page
    client: Client
    """Speaks to the same session, as another person would."""

    def keys(self, *names: str) -> None:
        """Press keys one after the other."""
        for name in names:
            self.page.keyboard.press(name)

    def click(self, *test_ids: str) -> None:
        """Click parts of the page one after the other."""
        for test_id in test_ids:
            self.page.get_by_test_id(test_id).first.click()

    def point_at(self, right: float, down: float) -> tuple[float, float]:
        """Where a place of the picture, given as fractions of it, is on the page."""
        box = self.page.get_by_test_id("image-canvas").bounding_box()
        assert box is not None
        return box["x"] + right * box["width"], box["y"] + down * box["height"]

    def hover(self, right: float, down: float) -> None:
        """The pointer over a place of the picture."""
        self.page.mouse.move(*self.point_at(right, down))

    def press(self, right: float, down: float) -> None:
        """A click on a place of the picture."""
        self.page.mouse.click(*self.point_at(right, down))

    def answer(self, address: str, status: int, body: Mapping[str, object]) -> None:
        """Let the server seem to answer this from now on."""
        self.page.route(address, lambda route: route.fulfill(status=status, json=body))

    def change(self, address: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Let the server seem to answer something else in part from now on."""

        def answer(route: Route) -> None:
            try:
                answered = route.fetch()
                values = answered.json()
                change(values)
                route.fulfill(response=answered, json=values)
            except Error:
                return  # asked by a page that has been left meanwhile

        self.page.route(address, answer)

    def wait_for_text(self, text: str) -> None:
        """Until the page shows it."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=WAIT_MS)

    def wait_for_dialog(self) -> None:
        """Until a dialog is open."""
        expect(self.page.locator("dialog[open]")).to_be_visible(timeout=WAIT_MS)


Act = Callable[[Shown], None]


def nothing(_: Shown) -> None:
    """As it comes up."""


def keys(*names: str) -> Act:
    """The act of pressing these keys."""
    return lambda shown: shown.keys(*names)


def style(name: str) -> Act:
    """The act of choosing how the prediction is drawn."""
    return lambda shown: shown.click(f"overlay-{name}")


def dialog(key: str, *test_ids: str) -> Act:
    """The act of opening a dialog by its key, then clicking parts of it."""

    def act(shown: Shown) -> None:
        shown.keys(key)
        shown.wait_for_dialog()
        shown.click(*test_ids)

    return act


def brush(shown: Shown) -> None:
    shown.keys("b", "]", "]")
    shown.hover(0.4, 0.55)


def polygon(shown: Shown) -> None:
    shown.keys("o")
    for corner in ((0.55, 0.2), (0.75, 0.15), (0.85, 0.4), (0.7, 0.5)):
        shown.press(*corner)
        shown.page.wait_for_timeout(450)  # else two clicks are a double one
    shown.hover(0.52, 0.42)


def box(shown: Shown) -> None:
    shown.keys("w")
    shown.hover(0.3, 0.3)
    shown.page.mouse.down()
    shown.hover(0.6, 0.55)


def select(shown: Shown) -> None:
    shown.keys("m")
    shown.press(0.68, 0.24)


def correct(shown: Shown) -> None:
    shown.keys("y")
    shown.hover(0.77, 0.38)


def zoomed(shown: Shown) -> None:
    shown.keys(*["+"] * 6)


def jump(shown: Shown) -> None:
    shown.keys("/")
    shown.page.keyboard.type("tile_1", delay=20)
    expect(shown.page.get_by_test_id("jump-list")).to_be_visible(timeout=WAIT_MS)
    shown.keys("ArrowDown", "ArrowDown")


def key_clash(shown: Shown) -> None:
    dialog("?", "key-of-skip")(shown)
    shown.keys("f")


def comparison(shown: Shown) -> None:
    dialog("c")(shown)
    boxes = shown.page.locator("dialog[open] tbody input[type=checkbox]:enabled")
    boxes.nth(0).check()
    boxes.nth(1).check()
    shown.click("compare-checkpoints")
    expect(shown.page.get_by_test_id("checkpoint-comparison")).to_be_visible(timeout=WAIT_MS)


def inspection(shown: Shown) -> None:
    dialog("c")(shown)
    shown.page.locator("dialog[open] [data-testid^=inspect-]").first.click()
    expect(shown.page.get_by_test_id("checkpoint-details")).to_be_visible(timeout=WAIT_MS)


def select_tiles(first: int, last: int) -> Act:
    """The act of selecting a range of the gallery."""

    def act(shown: Shown) -> None:
        shown.click(f"gallery-item-{first}")
        shown.page.get_by_test_id(f"gallery-item-{last}").click(modifiers=["Shift"])

    return act


def hinted(shown: Shown) -> None:
    expect(shown.page.get_by_test_id("hint")).to_be_visible(timeout=WAIT_MS)


def palette(shown: Shown) -> None:
    shown.keys(".")
    expect(shown.page.get_by_test_id("palette-input")).to_be_visible(timeout=WAIT_MS)
    shown.page.keyboard.type("gr")


def class_panel(kind: str, class_id: int) -> Act:
    return dialog("l", f"{kind}-{class_id}")


def comment(shown: Shown) -> None:
    shown.keys("Shift+C")
    expect(shown.page.get_by_test_id("comment-text")).to_be_visible(timeout=WAIT_MS)


def remembers(hints: bool) -> str:
    """A script for the page: what this browser is to remember of earlier visits."""
    return f"localStorage.setItem('fewclick:preferences', {json.dumps(json.dumps({'hint_dismissed': not hints}))})"


def confidence(shown: Shown) -> None:
    """The confidence of one class as a heat map."""
    shown.page.get_by_test_id("overlay-confidence").click()
    shown.page.get_by_test_id("confidence-class").select_option("2")


def typed(key: str, text: str) -> Act:
    """The act of typing into what a key opens."""

    def act(shown: Shown) -> None:
        shown.keys(key)
        shown.page.wait_for_timeout(300)
        shown.page.keyboard.type(text, delay=20)

    return act
