"""What a person sees of a segmentation first: its colours, a single class, hints that fit, on a phone as well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page, expect

from benchmarks.client import Client
from tests.boundaries import Boundary, put
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.test_canvas import prefer, screenshot

BLUE, ORANGE = (41, 128, 185), (243, 156, 18)
HALF = Boundary(640, 480, 320, vertical=True)
FIRST_STEPS = ["segmentation:click", "segmentation:follow", "segmentation:right"]
VEIL = 64 / 255
PHONES = pytest.mark.parametrize("size", [(390, 844), (844, 390)], ids=["upright", "on its side"])
# WCAG 2.2, 2.5.8: 24 px.
TARGETS = """() => [...document.querySelectorAll("button, select, a, input")]
  .filter((part) => part.checkVisibility({ visibilityProperty: true }))
  .map((part) => [part, part.getBoundingClientRect()])
  .filter(([, { width, height }]) => height > 1 && Math.min(width, height) < 24)
  .map(([part]) => part.outerHTML.slice(0, 80))"""
CUT_OFF = """() => {
  const room = document.querySelector(".thumbnails").getBoundingClientRect();
  return [...document.querySelectorAll(".thumbnail")].map((part) => part.getBoundingClientRect())
    .filter(({ left, right }) => right > room.left && left < room.right)
    .filter(({ left, right }) => left < room.left || right > room.right).length;
}"""


class OneClass(Boundary):
    """As the head predicts while its second class alone has labels: the same everywhere."""

    def logits(self) -> npt.NDArray[np.float32]:
        return np.full_like(super().logits(), -0.5) + np.array([0, 1], np.float32)[:, None, None]


@pytest.fixture
def serve(segmentation_session: ReadySession, serve_page: Callable[[ReadySession], str]) -> Callable[[Boundary], str]:
    """Address of a session of a blue and an orange class, with that prediction of its first image."""

    def start(boundary: Boundary) -> str:
        put(segmentation_session, 1, boundary)
        url = serve_page(segmentation_session)
        with Client(url) as client:
            for class_id, color in ((1, BLUE), (2, ORANGE)):
                client.json("PATCH", f"classes/{class_id}", json={"color": "#" + bytes(color).hex()})
        return url

    return start


def open_first(labeling: LabelingPage, url: str) -> None:
    labeling.page.goto(f"{url}#/image/1")
    expect(labeling.canvas).to_have_attribute("data-prediction-version", "1")


def pixel(labeling: LabelingPage, right: float) -> npt.NDArray[np.int_]:
    """Colour on screen half-way down the image."""
    box = labeling.canvas.bounding_box()
    assert box is not None
    return screenshot(labeling.page)[int(box["y"] + box["height"] / 2), int(box["x"] + right * box["width"])].astype(
        int
    )


def is_near(labeling: LabelingPage, right: float, color: npt.ArrayLike) -> bool:
    return bool(np.abs(pixel(labeling, right) - np.array(color)).max() <= 3)


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_overlay__is_in_the_colours_of_the_classes_and_one_key_away_from_red_to_green(
    labeling: LabelingPage, serve: Callable[[Boundary], str], renderer: str
) -> None:
    prefer(labeling.page, renderer=renderer)
    open_first(labeling, serve(HALF))
    expect(labeling.part("overlay-certainty")).to_have_attribute("aria-checked", "true")
    labeling.wait_until(lambda: is_near(labeling, 0.05, BLUE), "the first class")
    assert is_near(labeling, 0.95, ORANGE)
    undecided = pixel(labeling, 0.501)
    assert np.abs(undecided - ORANGE).max() > 20, "fainter where it is less sure"
    labeling.page.keyboard.press("v")
    expect(labeling.part("overlay-confidence")).to_have_attribute("aria-checked", "true")
    labeling.wait_until(lambda: pixel(labeling, 0.95)[0] > 2 * pixel(labeling, 0.95)[1], "red")
    green = pixel(labeling, 0.05)
    assert green[1] > max(green[0], green[2])


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_overlay__of_one_class_is_no_result_and_says_so(
    labeling: LabelingPage, serve: Callable[[Boundary], str], renderer: str
) -> None:
    prefer(labeling.page, renderer=renderer)
    open_first(labeling, serve(OneClass(640, 480, 320, vertical=True)))
    expect(labeling.part("one-class")).to_have_text("Mark a place of foreground too")
    expect(labeling.part("one-class-legend")).to_be_visible()
    expect(labeling.canvas).to_have_attribute("data-prediction-revision", "0")
    labeling.page.keyboard.press("h")
    expect(labeling.part("overlay")).to_be_hidden()
    bare = pixel(labeling, 0.25)
    labeling.page.keyboard.press("h")
    veiled = bare + VEIL * (np.array(ORANGE) - bare)
    assert np.abs(veiled - bare).max() > 6
    labeling.wait_until(lambda: is_near(labeling, 0.25, veiled), "the veil")


def test_hint__of_one_class_stands_in_the_row_until_it_was_read(
    labeling: LabelingPage, serve: Callable[[Boundary], str]
) -> None:
    prefer(labeling.page, hint_dismissed=False)
    open_first(labeling, serve(OneClass(640, 480, 320, vertical=True)))
    hint = labeling.part("hint")
    expect(hint).to_contain_text(
        "Only background has labels so far, so everything is predicted as it. Choose foreground"
    )
    expect(labeling.part("one-class")).to_have_count(0)
    labeling.part("hint-done").click()
    expect(hint).to_have_attribute("data-hint", "segmentation:click")
    expect(labeling.part("one-class")).to_be_visible()


def test_hint__enter_is_what_it_is_while_the_keyboard_has_a_cursor(
    labeling: LabelingPage, serve: Callable[[Boundary], str]
) -> None:
    page = labeling.page
    prefer(page, hint_dismissed=False, hints_done=FIRST_STEPS)
    open_first(labeling, serve(HALF))
    hint, accept, following = (labeling.part(name) for name in ("hint", "accept-prediction", "next"))
    expect(hint).to_contain_text("Enter accepts the prediction")
    expect(accept).to_have_attribute("title", "Accept the prediction (Enter)")
    page.keyboard.press("z")
    expect(hint).to_contain_text("Z leaves the cursor: then Enter accepts the prediction, and no longer sets a point")
    expect(accept).to_have_attribute("title", "Accept the prediction")
    expect(following).to_have_attribute("title", "Next (F)")
    page.keyboard.press("?")
    accepting = page.locator("li[data-command=accept]")
    expect(accepting).to_contain_text("With the cursor of the keyboard on, Enter does what a click does")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(hint).to_contain_text("Enter accepts the prediction")
    expect(accept).to_have_attribute("title", "Accept the prediction (Enter)")


@PHONES
@pytest.mark.parametrize("hinted", [False, True], ids=["", "with hints"])
def test_phone__picture_classes_and_answer_are_in_sight(
    labeling: LabelingPage, serve: Callable[[Boundary], str], size: tuple[int, int], *, hinted: bool
) -> None:
    page = labeling.page
    prefer(page, hint_dismissed=not hinted)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    url = serve(HALF)
    with Client(url) as client:
        for number in range(4):
            client.json("POST", "classes", json={"name": f"kind {number}"})
    open_first(labeling, url)
    assert page.locator(".class-row").count() == 6
    for row in page.locator(".class-row").all():
        expect(row).to_be_in_viewport(ratio=1)
    for name in ("image-canvas", "accept-prediction", "previous", "next", "skip", "undetermined", "undo"):
        expect(labeling.part(name)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(TARGETS) == []
    for name in ("strategy", "save", "opacity", "jump-to-image"):
        labeling.part(name).scroll_into_view_if_needed()
        expect(labeling.part(name)).to_be_in_viewport()


@pytest.mark.parametrize("width", [1040, 1160, 1280])
def test_strip__cuts_no_thumbnail_off(page: Page, serve: Callable[[Boundary], str], width: int) -> None:
    prefer(page)
    page.set_viewport_size({"width": width, "height": 720})
    page.goto(f"{serve(HALF)}#/image/1")
    for image_id in range(1, 7):
        expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))
        assert page.evaluate(CUT_OFF) == 0
        expect(page.locator(".thumbnail[aria-current=true]")).to_be_in_viewport(ratio=1)
        page.keyboard.press("Shift+ArrowRight")
