"""Pictures larger than what the page gets in one piece: tiles where they are looked at closely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.test_canvas import image_point, screenshot
from tests.initialization.fakes import init, write_config

BIG = (8_000, 2_000)
SPOT = (6_144, 1_300)
"""Top-left corner of one small square of its own colour in the large picture."""
SPOT_PX = 16
SPOT_COLOR = (250, 20, 200)


def make_big(folder: Path) -> SimpleNamespace:
    """A session of one picture of `BIG` pixels with its spot."""
    (folder / "images").mkdir()
    width, height = BIG
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = (np.arange(width) // 64 * 2)[None, :]
    pixels[..., 1] = (np.arange(height) // 64 * 2)[:, None]
    left, top = SPOT
    pixels[top : top + SPOT_PX, left : left + SPOT_PX] = SPOT_COLOR
    PillowImage.fromarray(pixels).save(folder / "images/big.jpg", quality=95, subsampling=0)
    assert init(write_config(folder), "--yes") == 0
    return SimpleNamespace(folder=folder / "session")


def watch_tiles(page: Page) -> list[str]:
    """The addresses of tiles that are asked for from now on."""
    tiles: list[str] = []
    page.on("request", lambda request: tiles.append(request.url) if "/tile?" in request.url else None)
    return tiles


def test_stage__large_picture_on_a_full_disk_is_shown_without_tiles(
    labeling: LabelingPage, tmp_path: Path, serve_page: Callable[..., str]
) -> None:
    page = labeling.page
    tiles = watch_tiles(page)
    labeling.open(serve_page(make_big(tmp_path), spare_disk_bytes=1 << 60))
    box = labeling.canvas.bounding_box()
    assert box is not None
    (left, top), (width, height) = SPOT, BIG
    at = (int(box["x"] + left / width * box["width"]), int(box["y"] + top / height * box["height"]))
    page.mouse.move(*at)
    for _ in range(8):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(50)
    message = page.get_by_text("This picture is shown as an overview: full detail of this picture needs")
    expect(message).to_have_count(1)
    now, scale = labeling.canvas.bounding_box(), float(labeling.canvas.get_attribute("data-scale") or 0)
    assert now is not None
    middle = int(now["y"] + (top + SPOT_PX / 2) * scale), int(now["x"] + (left + SPOT_PX / 2) * scale)
    labeling.wait_until(
        lambda: bool(np.abs(screenshot(page)[middle].astype(int) - SPOT_COLOR).max() < 40), "the overview"
    )
    for _ in range(4):
        page.mouse.wheel(0, -60)
        page.wait_for_timeout(100)
    assert len(tiles) == 1, "nor is it asked for again at every turn of the wheel"
    (_the_browsers_own_line,) = labeling.watch.errors
    labeling.watch.errors.clear()


def test_stage__large_picture_comes_in_tiles(
    labeling: LabelingPage, tmp_path: Path, serve_page: Callable[..., str]
) -> None:
    (left, top), (width, height) = SPOT, BIG
    page = labeling.page
    tiles = watch_tiles(page)
    labeling.open(serve_page(make_big(tmp_path)))
    assert tiles == [], "the whole picture fits the screen in one piece"
    box = labeling.canvas.bounding_box()
    assert box is not None
    at = (int(box["x"] + left / width * box["width"]), int(box["y"] + top / height * box["height"]))
    before = image_point(page, *at)
    page.mouse.move(*at)
    for _ in range(8):
        page.mouse.wheel(0, -240)
    page.wait_for_timeout(100)
    assert image_point(page, *at) == pytest.approx(before, abs=0.01)
    expect(page.locator(".stage-detail")).to_be_visible()
    scale = float(labeling.canvas.get_attribute("data-scale") or 0)
    now = labeling.canvas.bounding_box()
    assert now is not None
    # Just inside the spot's corners, and just outside.
    inside = [(left + 2, top + 2), (left + SPOT_PX - 2, top + SPOT_PX - 2)]
    outside = [(left - 4, top - 4), (left + SPOT_PX + 4, top + SPOT_PX + 4)]

    def shown(place: tuple[float, float]) -> npt.NDArray[np.uint8]:
        return np.asarray(screenshot(page)[int(now["y"] + place[1] * scale), int(now["x"] + place[0] * scale)])

    labeling.wait_until(lambda: bool(np.abs(shown(inside[0]).astype(int) - SPOT_COLOR).max() < 24), "the tile's colour")
    for place in inside:
        assert np.abs(shown(place).astype(int) - SPOT_COLOR).max() < 24
    for place in outside:
        assert np.abs(shown(place).astype(int) - [place[0] // 64 * 2, place[1] // 64 * 2, 0]).max() < 24
    assert 0 < len(tiles) < 40
