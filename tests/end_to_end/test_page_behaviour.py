"""Small things that people meet on the page, in a real browser on ready-made sessions; nothing learns there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.client import Client
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import Watch

Serve = Callable[[ReadySession], str]
WITHIN_REACH = """() => [...document.querySelectorAll("[data-testid]:is(button, a, select, input)")].filter((part) => {
  const { x, y, width, height } = part.getBoundingClientRect();
  return width > 0 && part.contains(document.elementFromPoint(x + width / 2, y + height / 2));
}).map((part) => part.dataset.testid)"""
"""What a click on its middle would reach."""
CUT = """text => {
  const [own, frame] = [text, text.parentElement].map((part) => part.getBoundingClientRect());
  return own.height > frame.height || own.right > frame.right || own.left < frame.left;
}"""


@pytest.fixture
def url(classification_session: ReadySession, serve_page: Serve) -> str:
    """A classification session of three classes and six images."""
    return serve_page(classification_session)


def open_image(page: Page, url: str, image_id: int) -> None:
    page.goto(f"{url}#/image/{image_id}")
    expect_image(page, image_id)


def expect_image(page: Page, image_id: int) -> None:
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))


def test_undo__after_the_next_image_came_up_takes_the_label_back(page: Page, url: str) -> None:
    open_image(page, url, 1)
    for image_id, key in ((1, "1"), (2, "2"), (3, "3")):
        expect_image(page, image_id)
        page.keyboard.press(key)
    expect_image(page, 4)
    with Client(url) as client:
        for image_id in (3, 2):
            page.keyboard.press("Control+z")
            expect_image(page, image_id)
            expect(page.get_by_test_id("label-badge")).to_have_count(0)
            assert client.annotations(image_id)["label"] is None
        assert client.annotations(1)["label"]["class_id"] == 1
        page.keyboard.press("Control+Shift+z")
        expect(page.get_by_test_id("label-badge")).to_have_attribute("data-class-id", "2")
        page.keyboard.press("Control+z")
        expect(page.get_by_test_id("label-badge")).to_have_count(0)
        expect_image(page, 2)


def test_skip__says_what_it_takes_off_and_brings_it_back_from_elsewhere(
    page: Page, segmentation_session: ReadySession, serve_page: Serve
) -> None:
    url = serve_page(segmentation_session)
    with Client(url) as client:
        points = [{"x": 5.5, "y": 5.5, "class_id": 1}, {"x": 30.5, "y": 9.5, "class_id": 2}]
        box = {"kind": "box", "class_id": 1, "geometry": {"x0": 1, "y0": 1, "x1": 9, "y1": 9}}
        client.json("PUT", "images/1/annotations", json={"points": points, "regions": [box]})
        open_image(page, url, 1)
        page.get_by_test_id("skip").click()
        expect_image(page, 2)
        page.keyboard.press("Shift+ArrowRight")
        expect_image(page, 3)
        told = page.get_by_test_id("toast").filter(has_text="Skipped image 1: 2 points and 1 region were taken off.")
        told.get_by_role("button", name="Undo").click()
        expect_image(page, 1)
        expect(page.get_by_test_id("count-of-1")).to_have_text("2")
        expect(told).to_have_count(0)
        found = client.annotations(1)
        assert (len(found["points"]), len(found["regions"]), found["skipped"]) == (2, 1, False)


def test_extracted_points__go_at_once_and_undo_brings_them_back(
    page: Page, segmentation_session: ReadySession, serve_page: Serve
) -> None:
    url = serve_page(segmentation_session)
    with Client(url) as client:
        client.json("PUT", "images/1/annotations", json={"points": [{"x": 5.5, "y": 5.5, "class_id": 1}]})
        segmentation_session.add_prediction(1)
        open_image(page, url, 1)
        page.get_by_test_id("extract-points").click()
        told = page.get_by_test_id("toast").filter(has_text="extracted from the prediction")
        expect(told.get_by_role("button", name="Remove them")).to_be_visible()
        n_points = len(client.annotations(1)["points"])
        assert n_points > 1
        page.get_by_test_id("remove-extracted").click()
        expect(page.get_by_test_id("toast").filter(has_text=f"{n_points - 1} extracted points removed")).to_be_visible()
        expect(page.get_by_test_id("remove-extracted")).to_have_count(0)
        page.keyboard.press("Control+z")
        expect(page.get_by_test_id("remove-extracted")).to_be_visible()
        assert len(client.annotations(1)["points"]) == n_points


def test_export_menu__masks_of_all_images_with_the_rest_predicted(
    page: Page, segmentation_session: ReadySession, serve_page: Serve
) -> None:
    open_image(page, serve_page(segmentation_session), 1)
    page.get_by_test_id("export").click()
    masks = page.get_by_test_id("export-png-masks")
    expect(masks).to_have_attribute("href", re.compile(r"format=png-masks&masks=merged$"))
    page.get_by_test_id("export-scope").select_option("all")
    expect(masks).to_have_attribute("href", re.compile(r"masks=merged&scope=all$"))


def test_undo__after_going_elsewhere_stays_there(page: Page, url: str) -> None:
    open_image(page, url, 1)
    page.keyboard.press("1")
    expect_image(page, 2)
    page.get_by_test_id("next").click()
    expect_image(page, 3)
    expect(page.get_by_test_id("undo")).to_be_disabled()
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("toast")).to_contain_text("Nothing to undo")
    expect_image(page, 3)


def test_review__all_images_in_order(page: Page, url: str) -> None:
    with Client(url) as client:
        for image_id in (2, 3):
            client.put_annotations(image_id, {"class_id": 1})
    open_image(page, url, 1)
    page.keyboard.press("Shift+ArrowRight")
    expect_image(page, 2)
    page.keyboard.press("Shift+ArrowRight")
    expect_image(page, 3)
    page.keyboard.press("Shift+ArrowLeft")
    expect_image(page, 2)
    page.get_by_test_id("strategy").select_option("review")
    page.get_by_test_id("next").click()
    expect_image(page, 3)
    page.keyboard.press("d")
    expect_image(page, 2)


def test_previous__after_a_reload_is_the_image_before(page: Page, url: str) -> None:
    open_image(page, url, 3)
    page.reload()
    expect_image(page, 3)
    page.get_by_test_id("previous").click()
    expect_image(page, 2)
    page.get_by_test_id("next").click()
    expect_image(page, 3)


def test_toasts__lie_above_a_dialog_and_go_by_themselves(page: Page, url: str) -> None:
    page.clock.install()
    open_image(page, url, 1)
    page.get_by_test_id("edit-classes").click()
    page.route("**/api/classes", lambda route: route.abort())
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("textbox").last.fill("new class")
    page.keyboard.press("Enter")
    toast = page.get_by_test_id("toast")
    expect(toast).to_be_visible()
    on_top = toast.evaluate("""element => {
      const box = element.getBoundingClientRect();
      const layers = [document.querySelector('dialog[open]'), element.closest('[popover]')];
      return layers[1].matches(':popover-open') && box.width > 0 && box.bottom <= innerHeight && box.left >= 0;
    }""")
    assert on_top
    page.clock.run_for(13_000)
    expect(toast).to_have_count(0)


def test_bars__say_nothing_before_there_is_a_prediction(
    page: Page, url: str, classification_session: ReadySession
) -> None:
    open_image(page, url, 1)
    for class_id in classification_session.class_ids:
        expect(page.get_by_test_id(f"confidence-bar-{class_id}")).to_be_visible()
        expect(page.get_by_test_id(f"confidence-bar-{class_id}")).not_to_contain_text("%")
    classification_session.add_prediction(2, probabilities=[0.7, 0.2, 0.1])
    open_image(page, url, 2)
    expect(page.get_by_test_id("confidence-bar-1")).to_contain_text("70 %")


def test_export_menu__closes_by_escape_and_before_the_gallery(page: Page, url: str) -> None:
    open_image(page, url, 1)
    menu = page.locator("#export-menu")
    page.get_by_test_id("export").click()
    expect(menu).to_be_visible()
    expect(page.get_by_test_id("export-coco")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.get_by_test_id("export").click()
    page.keyboard.press("g")
    expect(page.get_by_test_id("gallery-panel")).to_be_visible()
    expect(menu).to_be_hidden()


def test_training_panel__fits_a_narrow_page(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1000, "height": 800})
    open_image(page, url, 1)
    panel = page.locator("fewclick-training-panel .card")
    assert panel.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_start__says_what_is_wrong_until_the_server_answers(page: Page, url: str) -> None:
    page.clock.install()
    page.route("**/api/config", lambda route: route.abort())
    page.goto(url)
    for _ in range(3):
        expect(page.get_by_role("heading", name="Fewclick cannot start")).to_be_visible()
        with page.expect_request("**/api/config"):
            page.clock.run_for(2_100)
    expect(page.get_by_role("heading", name="Fewclick cannot start")).to_be_visible()
    page.unroute("**/api/config")
    page.clock.run_for(2_100)
    expect(page.get_by_test_id("image-canvas")).to_be_visible()


def test_small_screens__training_stays_in_sight_and_the_picture_has_the_room(
    page: Page, segmentation_session: ReadySession, serve_page: Serve
) -> None:
    url = serve_page(segmentation_session)
    boxes = [
        {"kind": "box", "class_id": 1, "geometry": {"x0": 2 * i, "y0": 1, "x1": 2 * i + 2, "y1": 9}} for i in range(9)
    ]
    with Client(url) as client:
        client.json("PUT", "images/1/annotations", json={"points": [], "regions": boxes})
    page.set_viewport_size({"width": 1280, "height": 720})
    open_image(page, url, 1)
    expect(page.get_by_test_id("region-count")).to_have_text("9")
    for part in ("save", "training-state"):
        expect(page.get_by_test_id(part)).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 640, "height": 360})
    stage = page.locator(".stage-frame").bounding_box()
    assert stage is not None
    assert stage["y"] <= 80, "the rows above the picture take more than a fifth of the screen"
    assert stage["height"] >= 240


@pytest.mark.parametrize("trouble", ["unreachable", "outdated"])
@pytest.mark.parametrize("size", [(1280, 720), (800, 900), (390, 844), (844, 390)])
def test_notices__cover_nothing_move_nothing_and_keep_their_buttons_on_screen(
    page: Page, url: str, watch: Watch, size: tuple[int, int], trouble: str
) -> None:
    watch.network_errors_allowed = True
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_image(page, url, 1)
    expect(page.get_by_test_id("banner")).to_contain_text("The ML service is not running")
    page.get_by_test_id("banner-away").click()
    page.wait_for_timeout(500)
    stage = page.locator(".stage-frame")
    before = stage.bounding_box()
    within_reach = set(page.evaluate(WITHIN_REACH))
    assert {"gallery", "undo"} <= within_reach
    page.evaluate("""() => {
      window.shifts = [];
      new PerformanceObserver((list) => {
        for (const e of list.getEntries()) window.shifts.push([e.value, ...e.sources.map((s) => s.node?.className)]);
      }).observe({ type: "layout-shift" });
    }""")
    if trouble == "unreachable":
        page.route("**/api/**", lambda route: route.abort())
        notice = page.get_by_test_id("banner")
        expect(notice.locator("strong")).to_have_text("The server does not answer")
        what = "banner-more"
    else:
        page.route("**/api/health", other_version)
        notice = page.get_by_test_id("page-outdated")
        expect(notice.locator("strong")).to_have_text("The server runs another version")
        what = "reload"
    assert stage.bounding_box() == before
    page.wait_for_timeout(300)
    reached = set(page.evaluate(WITHIN_REACH))
    assert {what, "banner-away"} <= reached
    # On a row too short for both the notice stands in place of the count.
    assert within_reach - reached <= ({"progress-open"} if size[0] <= 800 else set())
    assert notice.locator("strong").evaluate(CUT) is False
    expect(page.get_by_test_id("save-sign")).to_be_visible()
    assert page.evaluate("window.shifts") == []
    page.mouse.wheel(0, 400)
    page.wait_for_timeout(100)
    assert {what, "banner-away"} <= set(page.evaluate(WITHIN_REACH)), "scrolled out of sight"
    if trouble == "unreachable":
        page.get_by_test_id(what).click()
        said = page.get_by_text("sent when it is back").last
        expect(said).to_be_in_viewport(ratio=1)
    else:
        page.evaluate("window.is_old = true")
        page.get_by_role("button", name="Reload the page").click()
        page.wait_for_function("window.is_old === undefined")


def other_version(route: Route) -> None:
    found = route.fetch()
    route.fulfill(response=found, json=found.json() | {"version": "9.9.9"})


def test_notices__can_be_put_away(page: Page, url: str) -> None:
    open_image(page, url, 1)
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("The ML service")
    page.get_by_test_id("banner-away").click()
    expect(banner).to_have_count(0)
    page.wait_for_timeout(1_500)
    expect(banner).to_have_count(0)
