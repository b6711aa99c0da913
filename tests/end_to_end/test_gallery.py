"""The gallery in a real browser: selecting, labelling and accepting many images, filters that stay."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from db.enums import FeatureState
from db.tables.images import Image
from db.tables.learning import Prediction
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage, Watch

SURE = {1: (1, 0.9), 2: (2, 0.6), 3: (1, 0.7), 4: (3, 0.8), 5: (2, 0.95), 6: (1, 0.5)}
"""Predicted class and its probability by image."""


def predict(session: ReadySession, by_image: dict[int, tuple[int, float]], version: int = 1) -> None:
    with session.database.write() as db_session:
        for image_id, (class_id, p) in by_image.items():
            shares = [p if other == class_id else (1 - p) / 2 for other in (1, 2, 3)]
            values = {"version": version, "annotation_revision": 0, "class_ids": [1, 2, 3], "probabilities": shares}
            db_session.merge(Prediction(image_id=image_id, **values))
            image = db_session.get(Image, image_id)
            assert image is not None
            image.features = FeatureState.READY
            image.uncertainty, image.predicted_class_id, image.predicted_version = 1 - p, class_id, version


@pytest.fixture
def url(classification_session: ReadySession, serve_page: Callable[[ReadySession], str], watch: Watch) -> str:  # noqa: ARG001
    """A page on six images that are predicted."""
    predict(classification_session, SURE)
    return serve_page(classification_session)


def order(page: Page) -> list[int]:
    """Ids of the tiles, in the order shown."""
    ids = page.locator("[data-testid^=gallery-item-]").evaluate_all("tiles => tiles.map(tile => tile.dataset.testid)")
    return [int(test_id.rsplit("-", 1)[1]) for test_id in ids]


def selected(page: Page) -> list[int]:
    """Ids of the tiles that are selected."""
    tiles = page.locator(".tile[aria-selected=true]")
    ids = tiles.evaluate_all("tiles => tiles.map(tile => tile.dataset.testid)")
    return [int(test_id.rsplit("-", 1)[1]) for test_id in ids]


def open_gallery(page: Page, url: str, search: str = "") -> None:
    page.goto(f"{url}#/gallery{search}")
    expect(page.locator(".tile:not(.is-loading)").first).to_be_visible()


def test_selection__mouse_and_keyboard(page: Page, url: str) -> None:
    open_gallery(page, url)
    tiles = {image_id: page.get_by_test_id(f"gallery-item-{image_id}") for image_id in SURE}
    tiles[2].click()
    assert selected(page) == [2]
    tiles[4].click(modifiers=["Shift"])
    assert selected(page) == [2, 3, 4]
    tiles[3].click(modifiers=["Control"])
    tiles[6].click(modifiers=["Control"])
    assert selected(page) == [2, 4, 6]
    page.keyboard.press("Escape")
    assert selected(page) == []
    expect(page.get_by_test_id("gallery-panel")).to_be_visible()

    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == [1, 2, 3]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert selected(page) == [1, 2, 3, 5]
    page.keyboard.press("Control+a")
    assert selected(page) == [1, 2, 3, 4, 5, 6]
    expect(page.get_by_test_id("selected-count")).to_have_text("6 selected")

    page.keyboard.press("Escape")
    first, second = tiles[1].bounding_box(), tiles[2].bounding_box()
    assert first is not None
    assert second is not None
    page.mouse.move(first["x"] + 20, first["y"] + first["height"] + 40)
    page.mouse.down()
    page.mouse.move(second["x"] + 30, second["y"] + 40, steps=4)
    expect(page.locator(".rubber-band")).to_be_visible()
    page.mouse.up()
    assert selected(page) == [1, 2]
    tiles[3].dblclick()
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "3")


def test_labels__one_request_and_one_step_back(page: Page, url: str) -> None:
    sent: list[dict[str, object]] = []
    page.on("request", lambda r: sent.append(json.loads(r.post_data or "{}")) if "bulk" in r.url else None)
    open_gallery(page, url)
    page.get_by_test_id("gallery-item-2").click()
    page.get_by_test_id("gallery-item-5").click(modifiers=["Shift"])
    page.keyboard.press("3")
    expect(page.get_by_test_id("tile-label")).to_have_count(4)
    assert [change["action"] for change in sent] == ["label"]
    assert page.get_by_test_id("tile-label").first.get_attribute("data-origin") == "human"
    assert selected(page) == []
    expect(page.get_by_test_id("accept-all")).to_have_text("Accept the 2 unlabelled")
    page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("tile-label")).to_have_count(0)
    assert selected(page) == [2, 3, 4, 5]
    page.keyboard.press("Control+Shift+z")
    expect(page.get_by_test_id("tile-label")).to_have_count(4)
    assert selected(page) == []
    page.get_by_test_id("gallery-item-2").click()
    page.get_by_test_id("gallery-item-5").click(modifiers=["Shift"])
    page.keyboard.press(".")
    name = page.get_by_test_id("palette-class-1").locator(".palette-name").inner_text()
    page.get_by_test_id("palette-input").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("tile-label").first).to_contain_text(name)
    expect(page.get_by_test_id("class-palette")).to_be_hidden()


def test_labels__are_shown_on_opening_though_no_event_says_so(page: Page, url: str, labeling: LabelingPage) -> None:
    silence = {"content_type": "text/event-stream", "body": "retry: 600000\n\n"}
    page.route("**/api/events*", lambda route: route.fulfill(**silence))
    page.goto(url)
    labeling.wait_for_image()
    opened = labeling.image_id
    page.keyboard.press("g")
    page.get_by_test_id(f"gallery-item-{opened}").click()
    page.keyboard.press("3")
    expect(page.get_by_test_id("tile-label")).to_have_count(1)
    page.keyboard.press("g")
    expect(page.get_by_test_id("class-3")).to_have_attribute("aria-checked", "true")


def test_undo__of_many_images_waits_for_the_server_and_says_so(page: Page, url: str, watch: Watch) -> None:
    watch.network_errors_allowed = True
    open_gallery(page, url)
    page.get_by_test_id("gallery-item-2").click()
    page.get_by_test_id("gallery-item-5").click(modifiers=["Shift"])
    page.keyboard.press("3")
    expect(page.get_by_test_id("tile-label")).to_have_count(4)
    page.route("**/api/annotations/bulk", lambda route: route.abort())
    page.keyboard.press("Control+z")
    told = page.get_by_test_id("toast").filter(has_text="Nothing was changed: ")
    expect(told).to_contain_text("server")
    expect(page.get_by_test_id("tile-label")).to_have_count(4)
    page.unroute_all()
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("tile-label")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(page.get_by_test_id("tile-label")).to_have_count(4)


def test_accept__what_is_shown_and_nothing_else(page: Page, url: str, classification_session: ReadySession) -> None:
    open_gallery(page, url, "?sort=confidence")
    assert order(page) == [5, 1, 4, 3, 2, 6]
    # Another head says something else of image 4, and the page has not heard of it.
    predict(classification_session, {4: (1, 0.9), 5: (2, 0.7)}, version=2)
    expect(page.get_by_test_id("accept-all")).to_have_text("Accept the 6 unlabelled")
    page.get_by_test_id("accept-all").click()
    expect(page.get_by_test_id("toast")).to_contain_text("5 images accepted as predicted; 1 had changed meanwhile")
    expect(page.locator("[data-testid=tile-label][data-origin=accepted]")).to_have_count(5)
    expect(page.get_by_test_id("gallery-total")).to_have_text("6 images")
    expect(page.get_by_test_id("accept-all")).to_have_text("Accept the 1 unlabelled")
    page.get_by_test_id("filter-accepted").click()
    expect(page.get_by_test_id("gallery-total")).to_have_text("5 images")
    page.keyboard.press("Control+a")
    page.get_by_test_id("gallery-grid").focus()
    page.keyboard.press("Control+a")
    page.get_by_test_id("bulk-confirm").click()
    expect(page.locator("[data-testid=tile-label][data-origin=human]")).to_have_count(5)
    page.get_by_test_id("filter-reviewed").click()
    expect(page.get_by_test_id("gallery-total")).to_have_text("5 images")


def test_accept__nothing_that_came_to_match_after_the_list(
    page: Page, url: str, classification_session: ReadySession
) -> None:
    open_gallery(page, url)  # image 6 was in sight here
    page.get_by_test_id("filter-unlabeled").click()
    page.get_by_test_id("filter-min").fill("60")
    page.get_by_test_id("filter-min").blur()
    expect(page.get_by_test_id("gallery-total")).to_have_text("5 images")
    expect(page.locator(".tile:not(.is-loading)")).to_have_count(5)
    predict(classification_session, {6: (1, 0.9)}, version=2)
    page.get_by_test_id("accept-all").click()
    expect(page.locator("[data-testid=tile-label][data-origin=accepted]")).to_have_count(5)
    expect(page.get_by_test_id("accept-all")).to_be_hidden()
    expect(page.get_by_test_id("gallery-total")).to_have_text("5 images listed before")
    page.get_by_test_id("gallery-outdated").click()
    expect(page.get_by_test_id("gallery-total")).to_have_text("1 image")
    expect(page.get_by_test_id("gallery-outdated")).to_be_hidden()
    expect(page.get_by_test_id("accept-all")).to_have_text("Accept the 1 unlabelled")


def test_palette__empty_on_every_opening_and_adds_a_class(page: Page, url: str, labeling: LabelingPage) -> None:
    page.goto(url)
    labeling.wait_for_image()
    labeling.part("auto-advance").set_checked(False)
    labeling.part("auto-advance").blur()
    typed, palette = page.get_by_test_id("palette-input"), page.get_by_test_id("class-palette")
    name = page.get_by_test_id("class-2").locator(".class-name").inner_text()
    page.keyboard.press(".")
    expect(typed).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(palette).to_be_hidden()
    expect(page.get_by_test_id("class-2")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("class-2")).to_have_attribute("aria-checked", "false")
    page.keyboard.press(".")
    expect(typed).to_have_value("")
    page.keyboard.press("Enter")
    expect(palette).to_be_visible()
    expect(page.get_by_test_id("class-2")).to_have_attribute("aria-checked", "false")
    page.keyboard.type("outwear")
    expect(page.get_by_test_id("palette-add")).to_have_text("Add “outwear”")
    page.keyboard.press("Enter")
    expect(palette).to_be_hidden()
    expect(page.locator(".class-row[aria-checked=true]")).to_contain_text("outwear")
    page.keyboard.press("g")
    page.locator(".tile:not(.is-loading)").first.click()
    page.keyboard.press(".")
    expect(typed).to_have_value("")
    page.get_by_test_id("palette-class-1").click()
    expect(palette).to_be_hidden()
    page.keyboard.press(".")
    expect(typed).to_have_value("")


def test_filter__stays_in_the_address_and_for_next(page: Page, url: str) -> None:
    open_gallery(page, url)
    page.get_by_test_id("filter-class").select_option("1")
    expect(page.get_by_test_id("gallery-total")).to_have_text("3 images")
    page.get_by_test_id("filter-max").fill("80")
    page.get_by_test_id("filter-max").blur()
    expect(page.get_by_test_id("gallery-total")).to_have_text("2 images")
    expect(page).to_have_url(re.compile(r"#/gallery\?class=1&max=80$"))
    page.reload()
    expect(page.get_by_test_id("gallery-total")).to_have_text("2 images")
    assert order(page) == [3, 6]
    page.get_by_test_id("gallery-item-3").dblclick()
    canvas = page.get_by_test_id("image-canvas")
    expect(canvas).to_have_attribute("data-image-id", "3")
    expect(page.get_by_test_id("filter-chip")).to_contain_text("up to 80 %")
    expect(page).to_have_url(re.compile(r"#/image/3\?class=1&max=80$"))
    page.keyboard.press("f")
    expect(canvas).to_have_attribute("data-image-id", "6")
    page.keyboard.press("Shift+ArrowLeft")
    expect(canvas).to_have_attribute("data-image-id", "3")
    page.get_by_test_id("clear-filter-chip").click()
    expect(page.get_by_test_id("filter-chip")).to_be_hidden()
    page.keyboard.press("Shift+ArrowRight")
    expect(canvas).to_have_attribute("data-image-id", "4")


@pytest.mark.parametrize("image_id", [1, 4])
def test_address__of_an_image_opens_it_from_the_gallery(page: Page, url: str, image_id: int) -> None:
    page.goto(f"{url}#/image/1")
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "1")
    page.keyboard.press("g")
    expect(page.locator(".tile:not(.is-loading)").first).to_be_visible()
    page.goto(f"{url}#/image/{image_id}")
    expect(page.get_by_test_id("gallery-panel")).to_be_hidden()
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))
    expect(page).to_have_url(re.compile(rf"#/image/{image_id}$"))


def test_segmentation__predicted_classes_lie_over_the_pictures(
    page: Page,
    segmentation_session: ReadySession,
    serve_page: Callable[[ReadySession], str],
    watch: Watch,  # noqa: ARG001
) -> None:
    segmentation_session.add_prediction(1)
    open_gallery(page, serve_page(segmentation_session))
    expect(page.get_by_test_id("gallery-item-1").locator(".tile-overlay-image.is-there")).to_be_visible()
    expect(page.get_by_test_id("gallery-item-2").locator(".tile-picture-image.is-there")).to_be_visible()
    expect(page.locator(".tile-overlay-image")).to_have_count(1)
    page.get_by_test_id("gallery-item-2").click()
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "2")


def test_gallery__escape_in_the_empty_search_closes_it(page: Page, url: str) -> None:
    page.goto(f"{url}#/gallery")
    search = page.get_by_test_id("gallery-search")
    search.fill("image")
    search.press("Escape")
    expect(search).to_have_value("")
    expect(page.get_by_test_id("gallery-panel")).to_be_visible()
    search.press("Escape")
    expect(page.get_by_test_id("gallery-panel")).to_have_count(0)
