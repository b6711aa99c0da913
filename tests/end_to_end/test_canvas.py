"""The stage in a real browser: zoom, the overlay with and without a GPU, the look of the picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from benchmarks.client import Client
from tests.boundaries import Boundary, put
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage

STYLES = ("certainty", "confidence", "classes", "uncertainty", "contour")


def prefer(page: Page, **preferences: Any) -> None:
    """Open the page with these preferences, the first time."""
    stored = json.dumps({"hint_dismissed": True, "theme": "light", "overlay_opacity": 1, **preferences})
    page.add_init_script(f"localStorage['fewclick:preferences'] ??= {json.dumps(stored)}")


def screenshot(page: Page) -> npt.NDArray[np.uint8]:
    return np.asarray(PillowImage.open(io.BytesIO(page.screenshot())).convert("RGB"))


def image_point(page: Page, x: float, y: float) -> tuple[float, float]:
    """The pixel of the image under a place of the page."""
    # In one go: a frame may come between two questions.
    left, top, scale = page.get_by_test_id("image-canvas").evaluate(
        "e => { const { left, top } = e.getBoundingClientRect(); return [left, top, Number(e.dataset.scale)]; }"
    )
    return (x - left) / scale, (y - top) / scale


@pytest.fixture
def url(segmentation_session: ReadySession, serve_page: Callable[[ReadySession], str]) -> str:
    """A server whose first image is foreground in its left half, as its prediction says."""
    put(segmentation_session, 1, Boundary(640, 480, 320, vertical=True))
    return serve_page(segmentation_session)


def test_stage__zoom_keeps_the_point_under_the_pointer(labeling: LabelingPage, url: str) -> None:
    page = labeling.page
    labeling.open(f"{url}#/image/1")
    box = labeling.canvas.bounding_box()
    assert box is not None
    # Whole pixels: browsers tell no others of a wheel.
    at = (int(box["x"] + box["width"] * 0.3), int(box["y"] + box["height"] * 0.6))
    page.mouse.move(*at)
    before = image_point(page, *at)
    for turn in (-300, -200, -240, 120):
        page.mouse.wheel(0, turn)
        page.wait_for_timeout(60)
        assert image_point(page, *at) == pytest.approx(before, abs=0.01)
    scale = float(labeling.canvas.get_attribute("data-scale") or 0)
    assert scale > 2
    for button in ("middle", "left"):
        started = image_point(page, *at)
        if button == "left":
            page.keyboard.down(" ")
        page.mouse.move(*at)
        page.mouse.down(button=button)
        page.mouse.move(at[0] + 40, at[1] + 24, steps=4)
        page.mouse.up(button=button)
        if button == "left":
            page.keyboard.up(" ")
        page.wait_for_timeout(60)
        assert image_point(page, at[0] + 40, at[1] + 24) == pytest.approx(started, abs=0.01)
    assert labeling.annotation_revision == 0, "neither set a point"
    page.keyboard.press("Shift+2")
    expect(labeling.canvas).to_have_attribute("data-scale", "1")
    page.keyboard.press("Shift+1")
    page.wait_for_timeout(60)
    assert labeling.canvas.bounding_box() == pytest.approx(box)


def test_stage__fingers_pinch_pan_and_tap(labeling: LabelingPage, url: str) -> None:
    page = labeling.page
    cdp = page.context.new_cdp_session(page)
    cdp.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    labeling.open(f"{url}#/image/1")
    box = labeling.canvas.bounding_box()
    assert box is not None
    x, y = int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2)
    held = [image_point(page, x - 40, y), image_point(page, x + 40, y)]
    touch("touchStart", (x - 40, y))
    touch("touchStart", (x - 40, y), (x + 40, y))
    for step in range(1, 11):
        touch("touchMove", (x - 40 - 8 * step, y + 2 * step), (x + 40 + 4 * step, y + 2 * step))
    page.wait_for_timeout(60)
    assert image_point(page, x - 120, y + 20) == pytest.approx(held[0], abs=1), "each finger stays on its place"
    assert image_point(page, x + 80, y + 20) == pytest.approx(held[1], abs=1)
    touch("touchEnd")
    assert labeling.annotation_revision == 0, "a pinch sets no point"
    touch("touchStart", (x, y))
    touch("touchEnd")
    labeling.wait_until(lambda: labeling.annotation_revision == 1, "the point of a tap")


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_overlay__styles_differ_and_mean_the_same_with_and_without_a_gpu(
    labeling: LabelingPage, url: str, renderer: str
) -> None:
    page = labeling.page
    prefer(page, renderer=renderer)
    page.goto(f"{url}#/image/1")
    expect(labeling.canvas).to_have_attribute("data-prediction-version", "1")
    overlay = labeling.part("overlay")
    expect(overlay).to_have_attribute("data-painter", renderer)
    box = labeling.canvas.bounding_box()
    assert box is not None
    seen = {}
    for style in STYLES:
        labeling.part(f"overlay-{style}").click()
        page.wait_for_timeout(150)
        pixels = screenshot(page)
        row = int(box["y"] + box["height"] / 2)
        left, middle, right = (int(box["x"] + part * box["width"]) for part in (0.1, 0.5, 0.9))
        seen[style] = pixels[int(box["y"]) + 4 : int(box["y"] + box["height"]) - 4, int(box["x"]) + 4 : right].tobytes()
        of_left, of_right = pixels[row, left].astype(int), pixels[row, right].astype(int)
        if style in {"certainty", "confidence", "classes"}:
            assert of_left[1] > of_left[0], "the first class is green"
            assert of_right[0] > of_right[1], "the other one is red"
        if style == "uncertainty":
            brightest = pixels[row, middle - 12 : middle + 12].astype(int).sum(axis=1).max()
            assert brightest > 150 + max(of_left.sum(), of_right.sum()), "undecided between the two, sure beside"
    assert len(set(seen.values())) == len(STYLES)


def test_overlay__survives_the_loss_of_the_gpu(labeling: LabelingPage, url: str) -> None:
    page = labeling.page
    prefer(page, renderer="webgl")
    page.goto(f"{url}#/image/1")
    overlay = labeling.part("overlay")
    expect(overlay).to_have_attribute("data-painter", "webgl")
    expect(labeling.canvas).to_have_attribute("data-prediction-version", "1")
    assert labeling.overlay_ink()[0] > 1000
    handle = overlay.element_handle()
    assert handle is not None
    handle.evaluate(
        "e => { e.lost = e.getContext('webgl2').getExtension('WEBGL_lose_context'); e.lost.loseContext(); }"
    )
    expect(overlay).to_have_attribute("data-painter", "canvas")
    assert labeling.overlay_ink()[0] > 1000
    handle.evaluate("e => e.lost.restoreContext()")
    expect(overlay).to_have_attribute("data-painter", "webgl")
    page.wait_for_timeout(100)
    assert labeling.overlay_ink()[0] > 1000


def test_overlay__without_webgl(labeling: LabelingPage, url: str) -> None:
    page = labeling.page
    prefer(page, renderer="webgl")
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...more); };"
    )
    page.goto(f"{url}#/image/1")
    expect(labeling.canvas).to_have_attribute("data-prediction-version", "1")
    expect(labeling.part("overlay")).to_have_attribute("data-painter", "canvas")
    assert labeling.overlay_ink()[0] > 1000


def test_view_panel__changes_what_is_seen_and_nothing_that_is_kept(labeling: LabelingPage, url: str) -> None:
    page = labeling.page
    prefer(page, overlay_opacity=0)
    changes: list[str] = []
    page.on("request", lambda request: changes.append(request.url) if request.method not in {"GET", "HEAD"} else None)
    labeling.open(f"{url}#/image/2")
    page.wait_for_timeout(200)
    box = labeling.canvas.bounding_box()
    assert box is not None
    at = (int(box["y"] + box["height"] * 0.52), int(box["x"] + box["width"] * 0.52))
    with Client(url) as client:
        annotations = client.annotations(2)
        before = screenshot(page)[at].astype(int)
        page.keyboard.press("a")
        labeling.part("view-brightness").fill("0.5")
        page.wait_for_timeout(150)
        brighter = screenshot(page)[at].astype(int)
        assert brighter.sum() > before.sum() + 60
        labeling.part("bands-one").click()
        page.wait_for_timeout(700)
        grey = screenshot(page)[at].astype(int)
        assert np.ptp(grey) <= 2 < np.ptp(before)
        page.reload()
        labeling.wait_for_image()
        page.wait_for_timeout(700)
        np.testing.assert_allclose(screenshot(page)[at], grey, atol=3, err_msg="the view is remembered")
        page.keyboard.press("a")
        labeling.part("view-reset").click()
        page.wait_for_timeout(700)
        np.testing.assert_allclose(screenshot(page)[at], before, atol=2)
        assert client.annotations(2) == annotations
    assert changes == []
