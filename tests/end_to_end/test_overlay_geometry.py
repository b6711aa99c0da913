"""The overlay lies on the picture, and a click lands where it was made, as measured on the pixels of a real browser."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.client import Client
from tests.boundaries import Boundary, crossing, put
from tests.conftest import ReadySession

PREFERENCES = {
    "version": 2,
    "overlay_opacity": 1,
    "overlay_style": "confidence",
    "hint_dismissed": True,
    "theme": "light",
}
RED, AMBER, GREEN = 40 - 214, 201 - 247, 176 - 38
"""Green minus red in the colours of the confidence overlay: the other class, equally likely, the first class."""
NARROW_PX = 3
STEP_ERROR_PX = (GREEN - AMBER) / (GREEN - RED) + 0.01
"""A step that falls between the centres of two screen pixels is found where the line through both passes amber."""
BOUNDARIES = (
    Boundary(641, 479, 8, vertical=True),
    Boundary(641, 479, 471, vertical=False),
    Boundary(16, 9000, 8100, vertical=False),
    Boundary(9000, 16, 700, vertical=True),
    Boundary(641, 479, 600, vertical=True, orientation=6),
    Boundary(333, 500, 20, vertical=False, orientation=7),
)
"""One for each image of the ready-made session."""


@pytest.fixture
def url(segmentation_session: ReadySession, serve_page: Callable[[ReadySession], str]) -> str:
    """A server of a session whose images and predictions have known boundaries."""
    for image_id, boundary in zip(segmentation_session.image_ids, BOUNDARIES, strict=True):
        put(segmentation_session, image_id, boundary)
    return serve_page(segmentation_session)


def show(page: Page, url: str, image_id: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Screenshot (H, W, 3) of the page with that image, and (left, top, width, height) of the image, CSS pixels."""
    page.goto(f"{url}#/image/{image_id}")
    canvas = page.get_by_test_id("image-canvas")
    expect(canvas).to_have_attribute("data-image-id", str(image_id))
    expect(canvas).to_have_attribute("data-prediction-version", "1")
    box = canvas.bounding_box()
    assert box is not None
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), np.float64)
    return pixels, np.array([box["x"], box["y"], box["width"], box["height"]])


def shown_at(boundary: Boundary, pixels: npt.NDArray[np.float64], box: npt.NDArray[np.float64]) -> float:
    """Where the overlay changes sides, in CSS pixels from the image's top-left corner."""
    axis, size = (0, boundary.width) if boundary.vertical else (1, boundary.height)
    across = int(box[1 - axis] + box[3 - axis] / 2)
    amber = pixels[..., 1] - pixels[..., 0]
    line = amber[across] if boundary.vertical else amber[:, across]
    if box[3 - axis] < NARROW_PX:
        # What is narrower than the screen's pixels is mixed with what lies beside it.
        inner = line[int(box[axis]) + 2 : int(box[axis] + box[2 + axis]) - 2]
        line = RED + (line - inner.min()) * (GREEN - RED) / (inner.max() - inner.min())
    # From a little before the boundary to a little after it: elsewhere are the page's own colours.
    expected = box[axis] + boundary.at / size * box[2 + axis]
    first = int(max(np.ceil(box[axis]), np.floor(expected - 12)))
    last = int(min(np.floor(box[axis] + box[2 + axis]), np.ceil(expected + 12)))
    return first + crossing(line[first:last], AMBER) - float(box[axis])


@pytest.mark.parametrize("refined", [False, True], ids=["grid", "refined"])
def test_overlay__boundary_is_within_half_a_pixel_of_the_picture_shown(page: Page, url: str, *, refined: bool) -> None:
    page.add_init_script(f"localStorage.setItem('fewclick:preferences', {json.dumps(json.dumps(PREFERENCES))})")
    if not refined:
        page.route("**/prediction/map?*size=image*", lambda route: route.abort())
    far_off = {}
    for image_id, boundary in enumerate(BOUNDARIES, start=1):
        if refined:
            with page.expect_response(lambda response: "size=image" in response.url):
                show(page, url, image_id)
            page.wait_for_timeout(300)
        pixels, box = show(page, url, image_id)
        scale = box[2:].max() / max(boundary.width, boundary.height)
        off = abs(shown_at(boundary, pixels, box) - boundary.at * scale)
        # A pixel of the picture as shown: one of the screen, or one of the image where that is larger.
        if off >= (0.5 * scale if scale > 1 else STEP_ERROR_PX):
            far_off[boundary] = off
    assert far_off == {}


def test_click__lands_where_it_was_made(page: Page, url: str) -> None:
    with Client(url) as client:
        for image_id, boundary in enumerate(BOUNDARIES, start=1):
            _, box = show(page, url, image_id)
            wanted = np.array([0.3, 0.7]) * box[2:]
            at = np.floor(box[:2] + wanted)
            page.mouse.click(*at)
            expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-annotation-revision", "1")
            (point,) = client.annotations(image_id)["points"]
            expected = (at - box[:2]) * np.array([boundary.width, boundary.height]) / box[2:]
            assert [point["x"], point["y"]] == pytest.approx(expected.clip(0).tolist(), abs=0.01), boundary
