"""What stands beside the image is drawn a moment after it: it follows all the same, soon and whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.boundaries import Boundary, put
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.test_canvas import prefer

SOON_MS = 1000


@pytest.fixture
def opened(
    labeling: LabelingPage, segmentation_session: ReadySession, serve_page: Callable[[ReadySession], str]
) -> LabelingPage:
    """The first image, half of which is predicted to be of each class; the second has another prediction."""
    put(segmentation_session, 1, Boundary(640, 480, 320, vertical=True))
    put(segmentation_session, 2, Boundary(640, 480, 160, vertical=True))
    prefer(labeling.page, overlay_style="classes")
    labeling.open(f"{serve_page(segmentation_session)}#/image/1")
    return labeling


def expect_counts(labeling: LabelingPage, *counts: str) -> None:
    for class_id, count in enumerate(counts, start=1):
        expect(labeling.part(f"count-of-{class_id}")).to_have_text(count, timeout=SOON_MS)


def test_counts__follow_a_click_and_an_undo(opened: LabelingPage) -> None:
    expect_counts(opened, "", "")
    opened.click_image(0.2, 0.3)
    expect_counts(opened, "1", "")
    opened.click_image(0.8, 0.7, button="right")
    expect_counts(opened, "1", "1")
    opened.wait_until(lambda: opened.annotation_revision == 2, "both points to be saved")
    opened.page.keyboard.press("Control+z")
    expect_counts(opened, "1", "")


def test_counts__follow_a_quick_series(opened: LabelingPage) -> None:
    seen = opened.part("count-of-1").evaluate_handle(
        "e => { const seen = []; "
        "new MutationObserver(() => seen.push(e.textContent)).observe(e, { childList: true, subtree: true, "
        "characterData: true }); return seen; }"
    )
    for i in range(10):
        opened.click_image(0.1 + 0.08 * i, 0.4)
    expect_counts(opened, "10", "")
    assert len(set(seen.json_value())) > 1, "not only when the series is over"


def test_counts_and_legend__are_those_of_another_image_at_once(opened: LabelingPage) -> None:
    legend = opened.page.locator(".legend-shares")
    halves = legend.get_attribute("aria-label") or ""
    assert "50 %" in halves
    opened.click_image(0.2, 0.3)
    expect_counts(opened, "1", "")
    opened.wait_until(lambda: opened.annotation_revision == 1, "the point to be saved")
    # What the panel says in the very moment in which it says which image is open.
    opened.page.evaluate(
        """() => new MutationObserver((_, observer) => {
          observer.disconnect();
          const count = () => document.querySelector('[data-testid=count-of-1]').textContent;
          requestAnimationFrame(() => { window.beside = count(); });
        }).observe(document.querySelector('[data-testid=image-canvas]'), { attributeFilter: ['data-image-id'] })"""
    )
    opened.page.keyboard.press("Shift+ArrowRight")
    expect(opened.canvas).to_have_attribute("data-image-id", "2")
    opened.page.wait_for_function("window.beside !== undefined")
    assert opened.page.evaluate("window.beside") == ""
    expect(legend).not_to_have_attribute("aria-label", halves, timeout=SOON_MS)
