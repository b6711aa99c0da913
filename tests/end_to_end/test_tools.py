"""The tools of a segmentation session in a real browser: what is drawn is saved, teaches, is undone step by step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from benchmarks.client import Client
from benchmarks.product import Product
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.sample_images import TILE

Place = tuple[float, float]
# The frame that comes after the next key is slow: what is done meanwhile was done before a person saw it.
SLOW_FRAME = """addEventListener('keydown', () => requestAnimationFrame(() => {
  const end = performance.now() + 700;
  while (performance.now() < end);
}), { capture: true, once: true })"""


def on_page(labeling: LabelingPage, place: Place) -> Place:
    """Where a place, given as fractions of the picture, is on the page."""
    box = labeling.canvas.bounding_box()
    assert box is not None
    return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]


def drag(labeling: LabelingPage, *places: Place) -> None:
    """Press at the first, go through the others, let go."""
    mouse = labeling.page.mouse
    mouse.move(*on_page(labeling, places[0]))
    mouse.down()
    for place in places[1:]:
        mouse.move(*on_page(labeling, place), steps=6)
    mouse.up()


def regions(client: Client, image_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.annotations(image_id)["regions"]
    return found


def wait_for_regions(labeling: LabelingPage, client: Client, count: int) -> list[dict[str, Any]]:
    image_id = labeling.image_id
    labeling.wait_until(lambda: len(regions(client, image_id)) == count, f"{count} regions on the server")
    labeling.wait_until(
        lambda: labeling.annotation_revision == client.annotations(image_id)["revision"], "the page to know of it"
    )
    return regions(client, image_id)


def test_brush__saved_learned_from_undone_kept_over_a_reload(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        image_id, keyboard = labeling.image_id, labeling.page.keyboard

        keyboard.press("b")
        diameter = labeling.part("brush-diameter").inner_text()
        keyboard.press("]")
        expect(labeling.part("brush-diameter")).not_to_have_text(diameter)
        keyboard.press("[")
        keyboard.press("1")
        drag(labeling, (0.3, 0.3), (0.5, 0.35), (0.6, 0.3))
        (stroke,) = wait_for_regions(labeling, client, 1)
        assert (stroke["kind"], stroke["class_id"], stroke["origin"]) == ("stroke", foreground, "human")
        assert stroke["geometry"]["radius"] == 8
        assert stroke["geometry"]["points"][0] == pytest.approx([0.3 * TILE[0], 0.3 * TILE[1]], abs=1)
        labeling.wait_for_revision(1)
        one_class = labeling.overlay_ink()

        keyboard.press("2")
        drag(labeling, (0.2, 0.8), (0.7, 0.8))
        wait_for_regions(labeling, client, 2)
        labeling.wait_for_revision(2)
        assert labeling.overlay_ink() != one_class
        painted = labeling.regions_ink()

        labeling.part("undo").click()
        (left,) = wait_for_regions(labeling, client, 1)
        assert left["id"] == stroke["id"]
        assert 0 < labeling.regions_ink() < painted
        labeling.part("redo").click()
        wait_for_regions(labeling, client, 2)

        keyboard.press("r")
        drag(labeling, (0.45, 0.2), (0.45, 0.9))
        *_, eraser = wait_for_regions(labeling, client, 3)
        assert eraser["class_id"] is None
        assert labeling.regions_ink() < painted

        labeling.page.reload()
        labeling.wait_for_image()
        assert labeling.image_id == image_id
        assert labeling.part("region-count").inner_text() == "3"
        labeling.part("undo").click()
        wait_for_regions(labeling, client, 2)
        assert {region["class_id"] for region in regions(client, image_id)} == {foreground, background}


def test_shapes__drawn_changed_and_removed_by_keys(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        # Something to predict from, even when this image says nothing any more.
        client.put_annotations(client.images()[-1]["id"], {"points": [{"x": 9.5, "y": 9.5, "class_id": foreground}]})
        labeling.open(product.url)
        image_id, keyboard = labeling.image_id, labeling.page.keyboard

        keyboard.press("o")
        for corner in [(0.2, 0.2), (0.4, 0.2), (0.9, 0.9), (0.4, 0.4)]:
            labeling.click_image(*corner)
            labeling.page.wait_for_timeout(420)  # else two clicks are a double one
        labeling.click_image(0.9, 0.1, button="right")  # takes the last corner back
        keyboard.press("Backspace")
        labeling.click_image(0.4, 0.45)
        keyboard.press("Enter")
        (polygon,) = wait_for_regions(labeling, client, 1)
        assert len(polygon["geometry"]["rings"][0]) == 3

        keyboard.press("w")
        keyboard.press("2")
        drag(labeling, (0.6, 0.6), (0.9, 0.8))
        _, box = wait_for_regions(labeling, client, 2)
        assert (box["kind"], box["class_id"]) == ("box", background)

        keyboard.press("m")
        labeling.click_image(0.7, 0.7)
        drag(labeling, (0.9, 0.8), (0.95, 0.85))  # a corner of it
        labeling.wait_until(lambda: regions(client, image_id)[1]["geometry"] != box["geometry"], "the box resized")
        wider = regions(client, image_id)[1]
        assert wider["id"] == box["id"]
        assert wider["geometry"]["x1"] == pytest.approx(0.95 * TILE[0], abs=1)
        labeling.wait_until(lambda: labeling.annotation_revision == 3, "the resized box saved")

        for _ in range(3):
            keyboard.press("ArrowRight")
        labeling.wait_until(lambda: labeling.annotation_revision == 4, "three steps as one move")
        assert labeling.image_id == image_id
        assert regions(client, image_id)[1]["geometry"]["x0"] == pytest.approx(wider["geometry"]["x0"] + 3)

        keyboard.press("1")
        labeling.wait_until(lambda: regions(client, image_id)[1]["class_id"] == foreground, "the other class")
        keyboard.press("Control+a")
        keyboard.press("Delete")
        wait_for_regions(labeling, client, 0)
        keyboard.press("Control+z")
        wait_for_regions(labeling, client, 2)

        # The list beside the image, by keys alone.
        labeling.part("region-list").locator("button").first.focus()
        keyboard.press("Delete")
        (left,) = wait_for_regions(labeling, client, 1)
        assert left["kind"] == "polygon"


def test_predicted_region__accepted_and_erased(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        keyboard = labeling.page.keyboard
        keyboard.press("1")
        labeling.click_image(0.5, 0.5)
        labeling.wait_for_revision(1)
        keyboard.press("2")
        labeling.click_image(0.35, 0.4)
        labeling.wait_for_revision(2)

        keyboard.press("y")
        # Before anything is pressed, and before the pointer moves.
        stage = labeling.page.locator("image-stage")
        told = re.compile(r"^Accept as (nuclei|background), about [\d,]+ px$")
        expect(stage).to_have_attribute("data-tool-says", told)
        keyboard.press("y")
        expect(stage).to_have_attribute("data-tool-says", re.compile("^Change to "))
        keyboard.press("y")
        keyboard.press("y")
        labeling.click_image(0.5, 0.5)
        (accepted,) = wait_for_regions(labeling, client, 1)
        assert (accepted["kind"], accepted["class_id"], accepted["origin"]) == ("mask", foreground, "accepted")
        labeling.wait_for_revision(3)
        labeling.click_image(0.35, 0.4, button="right")
        *_, erased = wait_for_regions(labeling, client, 2)
        assert (erased["class_id"], erased["origin"]) == (foreground, "corrected")
        assert background not in {region["class_id"] for region in regions(client, labeling.image_id)}

        painted = labeling.regions_ink()
        keyboard.press("h")
        labeling.wait_until(lambda: not labeling.page.locator(".stage-layers").is_visible(), "the regions hidden")
        keyboard.press("h")
        assert labeling.regions_ink() == painted > 0


def test_polygon__not_closed_stays_with_its_image_and_is_led_back_to(
    serve_page: Callable[[ReadySession], str], segmentation_session: ReadySession, labeling: LabelingPage
) -> None:
    page = labeling.page
    page.goto(f"{serve_page(segmentation_session)}#/image/1")
    labeling.wait_for_image()
    page.keyboard.press("o")
    expect(page.locator(".tool-options")).to_be_visible()
    for corner in [(0.2, 0.3), (0.6, 0.3), (0.4, 0.8)]:
        labeling.click_image(*corner)
        page.wait_for_timeout(420)  # else two clicks are a double one
    page.keyboard.press("f")
    expect(labeling.part("toast")).to_contain_text("polygon on image 1 is not closed. It is kept there until you leave")
    page.get_by_role("button", name="Go on with it").click()
    expect(labeling.canvas).to_have_attribute("data-image-id", "1")
    page.keyboard.press("Enter")
    expect(labeling.part("region-count")).to_have_text("1")
    expect(labeling.part("count-of-1")).to_have_attribute("title", "1 region on this image")


def test_press__counts_for_the_image_on_screen_however_late_the_page_hears_of_it(
    serve_page: Callable[[ReadySession], str], segmentation_session: ReadySession, labeling: LabelingPage
) -> None:
    page, url = labeling.page, serve_page(segmentation_session)
    page.goto(f"{url}#/image/1")
    labeling.wait_for_image()

    def have_both_at_hand(keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(400)

    have_both_at_hand("fd")
    assert labeling.image_id == 1

    def press_while_leaving(key: str, place: tuple[float, float], *, lets_go: bool = True) -> None:
        page.mouse.move(*place)
        page.evaluate(SLOW_FRAME)
        page.keyboard.down(key)
        page.mouse.down()
        if lets_go:
            page.mouse.up()
        page.keyboard.up(key)

    for _ in range(3):
        page.keyboard.press("+")
    page.wait_for_timeout(100)
    box = labeling.canvas.bounding_box()
    stage = page.locator("image-stage").bounding_box()
    assert box is not None
    assert stage is not None
    place = (stage["x"] + 0.6 * stage["width"], stage["y"] + 0.4 * stage["height"])
    seen = [(place[0] - box["x"]) / box["width"], (place[1] - box["y"]) / box["height"]]
    with Client(url) as client:
        press_while_leaving("f", place)
        expect(page.get_by_text("“Point” went to image 1: it was still on screen")).to_be_visible()
        expect(labeling.canvas).to_have_attribute("data-image-id", "2")
        labeling.wait_until(lambda: len(client.annotations(1)["points"]) == 1, "the point of image 1")
        image, (point,) = client.json("GET", "images/1"), client.annotations(1)["points"]
        assert [point["x"] / image["width"], point["y"] / image["height"]] == pytest.approx(seen, abs=0.005)

        have_both_at_hand("dfb")
        press_while_leaving("d", on_page(labeling, (0.5, 0.5)))
        expect(page.get_by_text("“Brush stroke” went to image 2")).to_be_visible()
        labeling.wait_until(lambda: len(regions(client, 2)) == 1, "the stroke of image 2")
        expect(labeling.canvas).to_have_attribute("data-image-id", "1")

        have_both_at_hand("fd")
        press_while_leaving("f", on_page(labeling, (0.4, 0.5)), lets_go=False)
        page.wait_for_timeout(100)  # image 2 is on screen
        page.mouse.move(*on_page(labeling, (0.6, 0.5)), steps=3)
        page.mouse.up()
        expect(page.get_by_text("That was left out: it began on image 1")).to_be_visible()
        page.wait_for_timeout(300)  # nothing comes
        assert [len(regions(client, image_id)) for image_id in (1, 2)] == [0, 1]
        assert [len(client.annotations(image_id)["points"]) for image_id in (1, 2)] == [1, 0]
