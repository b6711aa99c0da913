"""A segmentation session with the keyboard only: the cursor on the image, every tool, what is said of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from benchmarks.client import Client
from benchmarks.product import Product
from db.tables.images import Image
from db.tables.session import SessionInfo
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import WAIT_MS, LabelingPage
from tests.end_to_end.sample_images import TILE
from tests.end_to_end.test_accessibility import AXE, faults

Serve = Callable[[ReadySession], str]


def open_page(page: Page, url: str) -> None:
    page.goto(f"{url}#/image/1")
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "1", timeout=WAIT_MS)


def press(page: Page, *keys: str, times: int = 1) -> None:
    for _ in range(times):
        for key in keys:
            page.keyboard.press(key)


def said(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait until the live region says so."""
    expect(page.get_by_test_id("cursor-said")).to_have_text(text, timeout=WAIT_MS)


def where(page: Page) -> tuple[int, int]:
    """Column and row of the cursor, once the page has said them."""
    line = page.get_by_test_id("cursor-said")
    expect(line).to_have_text(re.compile(r"^\d+, \d+"))
    column, row = line.inner_text().split(":")[0].split(", ")
    return int(column), int(row)


def go(page: Page, right: int, down: int) -> None:
    """So many pixels of the image."""
    press(page, f"Control+Arrow{'Right' if right > 0 else 'Left'}", times=abs(right))
    press(page, f"Control+Arrow{'Down' if down > 0 else 'Up'}", times=abs(down))


def make_as_large(session: ReadySession, model_id: int, image_id: int) -> None:
    """Give the image the pixels, and the size, of another one."""
    with session.database.write() as db_session:
        model, image = db_session.get_one(Image, model_id), db_session.get_one(Image, image_id)
        root = Path(db_session.get_one(SessionInfo, 1).image_root)
        shutil.copyfile(root / model.path, root / image.path)
        image.width, image.height = model.width, model.height


def wait_for_regions(labeling: LabelingPage, client: Client, count: int) -> list[dict[str, Any]]:
    image_id = labeling.image_id
    labeling.wait_until(lambda: len(client.annotations(image_id)["regions"]) == count, f"{count} regions")
    labeling.wait_until(
        lambda: labeling.annotation_revision == client.annotations(image_id)["revision"], "the page to know of it"
    )
    regions: list[dict[str, Any]] = client.annotations(image_id)["regions"]
    return regions


def test_points__from_opening_the_page_to_the_server(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    page = labeling.page
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        image_id = labeling.image_id
        middle = (TILE[0] // 2, TILE[1] // 2)

        press(page, "z")
        expect(labeling.canvas).to_be_focused()
        said(page, re.compile(rf"^Keyboard cursor at {middle[0]}, {middle[1]}\. Points, class nuclei\."))
        press(page, "Enter")
        said(page, f"Point of class nuclei set at {middle[0]}, {middle[1]}.")
        labeling.wait_for_revision(1)

        press(page, "2")
        said(page, "Points, class background.")
        go(page, -29, -16)
        said(page, re.compile(rf"^{middle[0] - 29}, {middle[1] - 16}: predicted nuclei \d+ %$"))
        press(page, "Space")
        labeling.wait_for_revision(2)
        points = [(point["x"], point["y"], point["class_id"]) for point in client.annotations(image_id)["points"]]
        assert points == [
            (pytest.approx(middle[0] + 0.5), pytest.approx(middle[1] + 0.5), foreground),
            (pytest.approx(middle[0] - 28.5), pytest.approx(middle[1] - 15.5), background),
        ]

        go(page, 2, 0)
        said(page, re.compile(r"predicted background \d+ %, point of background$"))
        press(page, "Delete")
        said(page, f"Point of class background removed at {middle[0] - 29}, {middle[1] - 16}.")
        labeling.wait_for_revision(3)
        # None within reach: those farther away stay.
        press(page, "Delete")
        expect(page.get_by_text("There is no point at the cursor.")).to_be_visible()
        assert len(client.annotations(image_id)["points"]) == 1
        press(page, "Control+z")
        said(page, f"Point of class background set at {middle[0] - 29}, {middle[1] - 16}.")
        labeling.wait_for_revision(4)
        assert labeling.image_id == image_id


def test_tools__each_one(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("segmentation")
    page = labeling.page
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        client.put_annotations(client.images()[-1]["id"], {"points": [{"x": 9.5, "y": 9.5, "class_id": foreground}]})
        labeling.open(product.url)
        middle = (TILE[0] // 2 + 0.5, TILE[1] // 2 + 0.5)

        press(page, "z", "b")
        said(page, "Brush, class nuclei.")
        press(page, "Enter")
        said(page, re.compile("^Stroke begun at 96, 80"))
        go(page, 20, 0)
        press(page, "Enter")
        said(page, "Stroke of class nuclei added.")
        (stroke,) = wait_for_regions(labeling, client, 1)
        assert stroke["geometry"]["points"] == [pytest.approx(middle), pytest.approx([middle[0] + 20, middle[1]])]

        press(page, "r", "Enter", "Enter")
        said(page, "Erased.")
        *_, dab = wait_for_regions(labeling, client, 2)
        assert dab["class_id"] is None

        press(page, "o", "2")
        go(page, 10, 20)
        press(page, "Enter")
        go(page, 30, 0)
        press(page, "Enter")
        go(page, 0, 30)
        press(page, "Enter")
        said(page, re.compile("^Corner 3 at 156, 130"))
        press(page, "Enter")
        said(page, "Polygon of class background added.")
        *_, polygon = wait_for_regions(labeling, client, 3)
        assert (len(polygon["geometry"]["rings"][0]), polygon["class_id"]) == (3, background)

        press(page, "w", "Enter")
        said(page, re.compile("^First corner at 156, 130"))
        go(page, -40, -12)
        # Begun in error: Escape takes it back, and leaves nothing else.
        press(page, "Escape")
        said(page, "Given up.")
        press(page, "Enter")
        go(page, -40, 12)
        press(page, "Enter")
        said(page, "Box of class background added.")
        *_, box = wait_for_regions(labeling, client, 4)
        assert [box["geometry"][side] for side in ("x0", "y0", "x1", "y1")] == pytest.approx(
            [76.5, 118.5, 116.5, 130.5]
        )

        press(page, "m")
        go(page, 10, -4)
        press(page, "Enter")
        said(page, re.compile("^1 region selected. Arrow keys move it"))
        go(page, 0, 8)
        press(page, "Enter")
        said(page, "1 region changed.")
        labeling.wait_until(
            lambda: client.annotations(labeling.image_id)["regions"][3]["geometry"]["y0"] == pytest.approx(126.5),
            "the box moved",
        )
        press(page, "Delete")
        said(page, "1 region removed.")
        wait_for_regions(labeling, client, 3)
        press(page, "Escape")
        expect(page.locator(".stage-cursor")).to_be_hidden()
        said(page, "")


def test_predicted_region__accepted_erased_filled(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    page = labeling.page
    with Client(product.url) as client:
        foreground, _ = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        press(page, "z", "Enter")
        labeling.wait_for_revision(1)
        press(page, "2")
        go(page, -29, -16)
        press(page, "Enter")
        labeling.wait_for_revision(2)
        press(page, "y", "Enter")
        said(page, "Region of class background added.")
        wait_for_regions(labeling, client, 1)
        labeling.wait_for_revision(3)
        press(page, "y", "Enter")  # erase
        wait_for_regions(labeling, client, 2)
        labeling.wait_for_revision(4)
        go(page, 29, 16)
        press(page, "y", "Enter")  # fill
        *_, filled = wait_for_regions(labeling, client, 3)
        assert (filled["kind"], filled["class_id"]) == ("mask", foreground)


def test_cursor__leads_the_view_and_leaves_the_page_its_keys(
    page: Page, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    open_page(page, serve_page(segmentation_session))
    canvas = page.get_by_test_id("image-canvas")
    press(page, "z")
    press(page, "+", times=12)
    frame = page.locator("image-stage").bounding_box()
    assert frame is not None
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        press(page, key, times=60)
        page.wait_for_timeout(60)
        cross = page.locator(".stage-cursor").bounding_box()
        assert cross is not None
        x, y = cross["x"] + cross["width"] / 2, cross["y"] + cross["height"] / 2
        assert frame["x"] <= x <= frame["x"] + frame["width"]
        assert frame["y"] <= y <= frame["y"] + frame["height"]
    width, height = (int(part) for part in re.findall(r"\d+", canvas.get_attribute("aria-label") or "")[1:3])
    # What was said at an earlier rest stands there until this one is said.
    expect(page.get_by_test_id("cursor-said")).to_have_text(re.compile(rf"^{width - 1}, {height - 1}\b"))
    expect(canvas).to_have_attribute("data-image-id", "1")
    expect(canvas).to_have_attribute("role", "application")
    # Other keys are the page's; the cursor stays for the next image.
    press(page, "f")
    expect(canvas).to_have_attribute("data-image-id", "2")
    expect(page.locator(".stage-cursor")).to_be_visible()
    # On a control the arrows are the control's.
    page.get_by_test_id("opacity").focus()
    before = page.get_by_test_id("opacity").input_value()
    press(page, "ArrowLeft")
    assert page.get_by_test_id("opacity").input_value() != before
    press(page, "z", "Escape")
    canvas.focus()
    press(page, "Escape")
    expect(page.locator(".stage-cursor")).to_be_hidden()
    expect(canvas).to_have_attribute("role", "img")
    press(page, "ArrowLeft")
    expect(canvas).to_have_attribute("data-image-id", "1")


@pytest.mark.parametrize("is_as_large", [False, True], ids=["another size", "one size"])
def test_cursor__what_it_began_is_given_up_on_the_next_image(
    page: Page, serve_page: Serve, segmentation_session: ReadySession, is_as_large: bool
) -> None:
    if is_as_large:
        make_as_large(segmentation_session, 1, 2)
    url = serve_page(segmentation_session)
    canvas, cursor = page.get_by_test_id("image-canvas"), page.locator(".stage-cursor")
    open_page(page, url)
    with Client(url) as client:
        press(page, "z", "b", "Enter")
        said(page, re.compile("^Stroke begun"))
        expect(cursor).to_have_class(re.compile("is-held"))
        press(page, "f")
        expect(canvas).to_have_attribute("data-image-id", "2")
        said(page, "Given up: it began on image 1. Image 2 is open.")
        expect(cursor).not_to_have_class(re.compile("is-held"))
        press(page, "Enter")
        said(page, re.compile("^Stroke begun"))
        press(page, "Shift+ArrowRight", "Enter")
        said(page, re.compile("^Stroke of class .* added"))
        expect(page.get_by_test_id("save-sign")).to_have_attribute("data-status", "saved")
        assert [len(client.annotations(image_id)["regions"]) for image_id in (1, 2)] == [0, 1]
    expect(page.get_by_test_id("toast").filter(has_text="left out")).to_have_count(0)


def test_cursor__a_corner_taken_back_is_set_again_at_the_same_place(
    page: Page, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    open_page(page, serve_page(segmentation_session))
    press(page, "z", "o", "Enter")
    for way in ("Right", "Down", "Left"):
        press(page, *[f"Shift+Arrow{way}"] * 2, "Enter")
    said(page, re.compile("^Corner 4 at"))
    for take_back in ("Backspace", "Control+z"):
        press(page, take_back, "Enter")
        said(page, re.compile("^Corner 4 at"))
    press(page, "Enter")
    said(page, re.compile("^Polygon of class .* added"))


def test_cursor__says_where_it_is_once_a_held_key_is_let_go(
    page: Page, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    open_page(page, serve_page(segmentation_session))
    press(page, "z")
    said(page, re.compile("^Keyboard cursor"))
    page.evaluate(
        """() => {
          window.spoken = [];
          const region = document.querySelector('[data-testid=cursor-said]');
          const note = () => window.spoken.push(region.textContent);
          new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    page.keyboard.down("Shift")
    for _ in range(4):
        page.keyboard.down("ArrowRight")  # without letting go: repeats
    column, row = where(page)
    spoken = page.evaluate("spoken")
    assert spoken[-1] == f"{column}, {row}"
    assert len(spoken) < 4


def test_cursor__keys_remapped(page: Page, serve_page: Serve, segmentation_session: ReadySession) -> None:
    open_page(page, serve_page(segmentation_session))
    press(page, "?")
    for command, key in (("keyboard-cursor", ","), ("tool-box", "z")):
        page.get_by_test_id(f"key-of-{command}").focus()
        press(page, "Enter", key)
    expect(page.get_by_test_id("key-of-keyboard-cursor")).to_have_text(",")
    press(page, "Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    press(page, "z")
    expect(page.locator(".stage-cursor")).to_be_hidden()
    press(page, ",")
    said(page, re.compile(r"^Keyboard cursor at .* Box, class"))
    expect(page.get_by_test_id("keyboard-cursor")).to_have_attribute("title", re.compile(r"\(,\)"))
    press(page, ",")
    expect(page.locator(".stage-cursor")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cursor__axe_finds_nothing(
    page: Page, serve_page: Serve, segmentation_session: ReadySession, theme: str
) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.add_init_script(path=AXE)
    open_page(page, serve_page(segmentation_session))
    press(page, "z", "w", "Enter", "Shift+ArrowRight", "Shift+ArrowDown")
    assert faults(page) == []
    press(page, "?")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.get_by_test_id("key-search").fill("cursor")
    assert faults(page) == []
