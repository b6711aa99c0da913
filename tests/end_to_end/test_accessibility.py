"""The page for everybody: axe finds nothing, the keyboard reaches all, nothing jumps, small screens lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.client import Client
from benchmarks.product import ROOT
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import Watch

Serve = Callable[[ReadySession], str]
Theme = Literal["light", "dark"]

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN_AXE = """async rules => {
  // What fades in has its colours only at the end.
  await Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => undefined)));
  const options = { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] };
  const { violations } = await axe.run(document, options);
  const asText = (id, { target, failureSummary }) => `${id}: ${target} ${failureSummary}`;
  return violations.flatMap(({ id, nodes }) => nodes.map(node => asText(id, node)));
}"""
DIALOGS = {"?": "key-help", "q": "quality", "c": "checkpoints", "i": "progress-dialog"}
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    if (!hadRecentInput) window.shifts.push([value, sources.map(({ node, previousRect, currentRect }) =>
      `${node?.outerHTML?.slice(0, 100) ?? node} ${JSON.stringify(previousRect)} ${JSON.stringify(currentRect)}`)]);
  }
}).observe({ type: 'layout-shift', buffered: true });
"""
OUTSIDE = """() => [...document.querySelectorAll('button, select, input, a, textarea')]
  .filter(element => element.checkVisibility())
  .filter(element => !element.closest('.visually-hidden, .skip-link, .thumbnails, [popover]'))
  .map(element => [element.getBoundingClientRect(), element])
  .filter(([{ width }]) => width > 0)
  .filter(([{ left, right }]) => left < -0.5 || right > document.documentElement.clientWidth + 0.5)
  .map(([box, element]) => `${Math.round(box.left)}..${Math.round(box.right)}: ${element.outerHTML.slice(0, 140)}`)"""

FOCUS_STAYS = """document.activeElement === document.body
  || document.activeElement.closest('dialog[open]') !== null"""


def faults(page: Page) -> list[str]:
    return list(page.evaluate(RUN_AXE, RULES))


def open_page(page: Page, url: str, theme: Theme = "light", image_id: int = 1) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{url}#/image/{image_id}")
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", str(image_id))


LABELS: dict[str, dict[str, Any]] = {
    "segmentation": {"points": [{"x": 5, "y": 5, "class_id": 1}, {"x": 20, "y": 20, "class_id": 2}]},
    "classification": {"class_id": 1},
    "multilabel": {"class_ids": [1]},
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel"])
def test_axe__finds_nothing_on_any_view(
    page: Page, serve_page: Serve, request: pytest.FixtureRequest, task: str, theme: Theme
) -> None:
    url = serve_page(request.getfixturevalue(f"{task}_session"))
    with Client(url) as client:
        client.put_annotations(2, LABELS[task])
    page.add_init_script(path=AXE)
    open_page(page, url, theme)
    expect(page.get_by_test_id("hint")).to_be_visible()
    found = {"labelling": faults(page)}
    page.get_by_test_id("hints-away").click()
    for key, test_id in DIALOGS.items() if task == "segmentation" else ():
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        found[test_id] = faults(page)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("l")
    expect(page.locator("dialog[open]")).to_be_visible()
    found["classes"] = faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.get_by_test_id("gallery-item-1")).to_be_visible()
    found["gallery"] = faults(page)
    assert {view: problems for view, problems in found.items() if problems} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe__finds_nothing_where_there_is_little_to_see(
    page: Page, serve_page: Serve, classification_session: ReadySession, theme: Theme
) -> None:
    url = serve_page(classification_session)
    with Client(url) as client:
        for image in client.images():
            client.put_annotations(image["id"], {"class_id": 1})
    page.add_init_script(path=AXE)
    open_page(page, url, theme)
    expect(page.get_by_test_id("all-done")).to_be_visible()
    found = {"all done": faults(page)}
    page.keyboard.press("a")
    found["picture"] = faults(page)
    page.get_by_test_id("export").click()
    found["export"] = faults(page)
    page.keyboard.press("Escape")
    page.route("**/api/**", lambda route: route.abort())
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    found["server gone"] = faults(page)
    page.unroute_all(behavior="ignoreErrors")
    page.goto("about:blank")
    page.goto(f"{url}#/start")
    expect(page.get_by_test_id("session-card").first).to_be_visible()
    found["start"] = faults(page)
    assert {view: problems for view, problems in found.items() if problems} == {}


@pytest.mark.parametrize("method", ["held_out", "cross_validation"])
def test_quality__its_words_have_room_whatever_they_say(
    page: Page, serve_page: Serve, segmentation_session: ReadySession, method: str
) -> None:
    figures = {
        "one_class": True, "n_samples": 4_210, "n_images": 1_120, "unknown": None, "majority_share": 0.5,
        "mean_iou": 0.9, "macro_f1": 0.9, "accuracy": {"value": 0.98, "low": 0.95, "high": 1.0}, "classes": [],
        "confusion": None, "calibration": None, "calibration_unknown": None, "selected_on_these": True,
    }  # fmt: skip
    outlook = {"verdict": "rising", "gain": 0.071, "margin": 0.03, "n_images": 40}
    said = {
        "leading": method, "held_out": figures, "estimate": figures, "is_current": False,
        "curve": {"method": method, "points": [], "outlook": outlook},
    }  # fmt: skip

    def with_figures(route: Route) -> None:
        answer = route.fetch()
        stats = answer.json()
        head = {"kind": "live", "run_id": None, "checkpoint_id": 4}
        route.fulfill(response=answer, json={**stats, "head": head, "quality": {**stats["quality"], **said}})

    page.route("**/api/stats", with_figures)
    page.add_init_script(SHIFTS)
    open_page(page, serve_page(segmentation_session))
    expect(page.get_by_text("More labels would probably still help.")).to_be_visible()
    page.wait_for_timeout(300)
    assert "\n".join(page.evaluate("shifts.map(shift => JSON.stringify(shift))")) == ""
    page.unroute_all(behavior="ignoreErrors")


def test_page__nothing_moves_and_no_other_host_is_asked(
    page: Page, watch: Watch, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    page.add_init_script(SHIFTS)
    open_page(page, serve_page(segmentation_session))
    canvas = page.get_by_test_id("image-canvas")
    for position in ((0.3, 0.3), (0.6, 0.6)):
        box = canvas.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + position[0] * box["width"], box["y"] + position[1] * box["height"])
        expect(canvas).not_to_have_attribute("data-annotation-revision", "0")
    for key in ("f", "f", "d", "?", "Escape", "i", "Escape", "g", "Escape", "a", "a", "t", "t"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    # Changes without anybody's doing: all that comes later counts, whatever was pressed.
    page.wait_for_timeout(700)
    with Client(page.url.split("#")[0]) as client:
        for image in client.images():
            client.put_annotations(image["id"], {"points": [{"x": 3, "y": 3, "class_id": 1}]})
    expect(page.get_by_test_id("all-done")).to_be_visible()
    assert "\n".join(page.evaluate("shifts.map(shift => JSON.stringify(shift))")) == ""
    assert watch.foreign_requests == []


@pytest.mark.parametrize("size", [(1280, 720), (1024, 600), (640, 360)], ids=["laptop", "small", "200 %"])
def test_page__loses_nothing_on_small_screens(
    page: Page, serve_page: Serve, segmentation_session: ReadySession, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_page(page, serve_page(segmentation_session))
    assert page.evaluate(OUTSIDE) == []
    for key in ("?", "i", "q"):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        assert page.evaluate(OUTSIDE) == []
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    for test_id in ("next", "save", "undo", "gallery"):
        page.get_by_test_id(test_id).scroll_into_view_if_needed()
        expect(page.get_by_test_id(test_id)).to_be_in_viewport()


@pytest.mark.parametrize(("key", "test_id"), [("i", "progress-dialog"), ("?", "key-help"), ("l", "class-row-1")])
def test_keyboard__a_key_right_after_a_dialog_was_closed(
    page: Page, serve_page: Serve, segmentation_session: ReadySession, key: str, test_id: str
) -> None:
    open_page(page, serve_page(segmentation_session))
    page.keyboard.press("?")
    expect(page.get_by_test_id("key-search")).to_be_visible()
    # In one task: neither the event that tells of the closing has come by then, nor the frame that moves the focus.
    page.get_by_test_id("key-search").evaluate(
        """(search, key) => {
          search.focus();
          search.closest('dialog').close();
          search.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true, cancelable: true }));
        }""",
        key,
    )
    page.wait_for_timeout(300)
    expect(page.get_by_test_id(test_id)).to_be_visible()
    expect(page.locator("dialog[open]")).to_have_count(1)


def test_keyboard__skip_link_toolbars_and_dialogs(
    page: Page, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    open_page(page, serve_page(segmentation_session))
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("image-canvas")).to_be_focused()
    page.get_by_test_id("zoom-out").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("zoom-out")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[aria-label=\"Image tools\"]') === null")
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", "1")
    page.get_by_test_id("help").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(FOCUS_STAYS)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("help")).to_be_focused()


def test_motion__none_where_it_is_not_wanted(
    browser: Browser, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    context = browser.new_context(reduced_motion="reduce", forced_colors="active")
    page = context.new_page()
    open_page(page, serve_page(segmentation_session))
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    longest = page.evaluate(
        "Math.max(0, ...document.getAnimations().map(({ effect }) => effect.getComputedTiming().activeDuration))"
    )
    assert longest < 1
    context.close()
