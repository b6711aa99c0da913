"""Labels bring figures onto the page, with words where they are too few."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.labeling_page import WAIT_MS, LabelingPage
from tests.end_to_end.sample_images import texture_of

LABELS = 12


def test_quality__unknown_at_first_then_figures(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        labeling.open(product.url)
        expect(labeling.part("quality-unknown")).to_have_text(re.compile("nothing is labelled yet"), timeout=WAIT_MS)

        class_ids = {entry["name"]: entry["id"] for entry in client.json("GET", "config")["classes"]}
        items = client.json("GET", "images?limit=200")["items"]
        by_class: dict[str, list[int]] = {}
        for item in items:
            by_class.setdefault(texture_of(item["path"]), []).append(item["id"])
        for name, image_ids in by_class.items():
            for image_id in image_ids[: LABELS // len(by_class)]:
                client.json("PUT", f"images/{image_id}/annotations", json={"class_id": class_ids[name]})
        expect(labeling.part("estimate")).to_have_text(re.compile(r"\d+ %"), timeout=WAIT_MS)

        labeling.page.keyboard.press("q")
        dialog = labeling.part("quality")
        expect(dialog).to_be_visible()
        expect(labeling.part("quality-overview").locator("tbody tr")).to_have_count(2)
        expect(labeling.part("quality-classes").locator("tbody tr")).to_have_count(len(class_ids))
        cells = labeling.part("quality-confusion").locator("tbody td").all_inner_texts()
        assert sum(map(int, cells)) == LABELS
        size = labeling.page.viewport_size
        assert size is not None
        labeling.page.set_viewport_size({"width": 240, "height": 800})  # as wide as a few of many classes
        matrix = labeling.part("quality-confusion").locator(".table-scroll")
        assert matrix.evaluate("e => { e.scrollLeft = 30; return e.scrollLeft }") == 30
        gap = "e => e.querySelector('tbody th').getBoundingClientRect().left - e.getBoundingClientRect().left"
        assert abs(matrix.evaluate(gap)) < 1, "the names of the rows stay in sight"
        labeling.page.set_viewport_size(size)
        expect(labeling.part("quality-calibration")).to_contain_text(
            f"needs 30 labels on 5 images to try it on, so far there are {LABELS}"
        )
        curve = labeling.part("quality-curve")
        expect(curve.locator("svg[role=img]")).to_have_attribute(
            "aria-label", re.compile("Share of right predictions by number of")
        )
        curve.locator("summary").click()
        expect(curve.locator("tbody tr")).to_have_count(4)
        expect(labeling.part("outlook")).to_have_attribute("data-verdict", "unclear")
        expect(labeling.part("quality-history").locator(".plot-dot").first).to_be_visible()
        labeling.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    assert labeling.watch.unexpected_errors() == []
