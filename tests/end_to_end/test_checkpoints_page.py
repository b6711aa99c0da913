"""Saved heads on the page: an older one is activated, the prediction changes, and comes back with the live head."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.labeling_page import WAIT_MS, LabelingPage


def label_and_save(labeling: LabelingPage, client: Client, foreground: int, background: int) -> list[int]:
    """Two states of labels that predict the opposite, each saved by the live head; ids, the oldest first."""
    for first, second in ((foreground, background), (background, foreground)):
        known = len(client.json("GET", "checkpoints"))
        revision = labeling.annotation_revision
        labeling.part(f"class-{first}").click()
        labeling.click_image(0.5, 0.5)
        labeling.wait_for_revision(revision + 1)
        labeling.part(f"class-{second}").click()
        labeling.click_image(0.35, 0.4)
        labeling.wait_for_revision(revision + 2)
        labeling.wait_until(lambda known=known: len(client.json("GET", "checkpoints")) > known, "a saved head")
    return sorted(row["id"] for row in client.json("GET", "checkpoints"))


def test_checkpoints__activate_an_older_one_and_roll_back(
    start_product: Callable[[str], Product], labeling: LabelingPage, page: Page
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        page.keyboard.press("c")
        expect(labeling.part("checkpoints-empty")).to_be_visible()
        page.keyboard.press("Escape")
        expect(labeling.part("checkpoints")).to_be_hidden()

        ids = label_and_save(labeling, client, foreground, background)
        live = labeling.overlay_ink()

        page.keyboard.press("c")
        expect(labeling.part(f"checkpoint-{ids[-1]}").get_by_test_id("checkpoint-in-force")).to_have_text("Predicts")
        # What predicts already cannot be activated, and says why.
        expect(labeling.part(f"activate-{ids[-1]}")).to_be_disabled()
        expect(labeling.part(f"activate-{ids[-1]}")).to_have_attribute("title", re.compile("predicts already"))
        labeling.part(f"activate-{ids[0]}").click()
        expect(labeling.part(f"checkpoint-{ids[0]}").get_by_test_id("checkpoint-in-force")).to_have_text("Active")
        expect(labeling.part("checkpoints-state")).to_contain_text("until the next label changes")
        labeling.wait_until(lambda: labeling.overlay_ink() != live, "the prediction of the older head")

        labeling.part("release-checkpoint").click()
        expect(labeling.part("checkpoints-state")).to_contain_text("live head predicts")
        labeling.wait_until(lambda: labeling.overlay_ink() == live, "the prediction of the live head")

        labeling.part("roll-back").click()
        expect(labeling.part("checkpoints-state")).to_contain_text("predicts until")
        # The head that predicted before the live head came back.
        assert [row["id"] for row in client.json("GET", "checkpoints") if row["active"]] == [ids[0]]


def test_checkpoints__inspect_compare_name_pin_prune(
    start_product: Callable[[str], Product], labeling: LabelingPage, page: Page
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
        labeling.open(product.url)
        oldest, *_, newest = label_and_save(labeling, client, foreground, background)
        labeling.part("checkpoints-open").click()

        # By keyboard alone: from the close button on, Tab reaches every control, once the list is there.
        expect(labeling.part("roll-back")).to_be_enabled()
        page.keyboard.press("Tab")
        expect(labeling.part("roll-back")).to_be_focused()

        name = labeling.part(f"checkpoint-{oldest}").get_by_role("textbox")
        name.fill("first try")
        name.press("Enter")
        labeling.part(f"pin-{oldest}").click()
        expect(labeling.part(f"pin-{oldest}")).to_have_attribute("aria-pressed", "true")

        labeling.part(f"inspect-{newest}").click()
        expect(labeling.part("checkpoint-details")).to_contain_text("efficientnet_lite0")
        expect(labeling.part("checkpoint-details")).to_contain_text("training.extracted_weight")
        expect(labeling.part("checkpoint-details").get_by_role("columnheader", name="Held out")).to_be_visible()
        labeling.part("checkpoints-back").click()

        for checkpoint_id in (oldest, newest):
            labeling.part(f"checkpoint-{checkpoint_id}").get_by_role("checkbox").check()
        labeling.part("compare-checkpoints").click()
        expect(labeling.part("checkpoint-comparison")).to_contain_text("A: first try")
        labeling.part("measure-checkpoints").click()
        expect(labeling.part("measure-checkpoints")).to_have_text("Measure again", timeout=WAIT_MS)
        expect(labeling.part("measure-checkpoints")).to_be_disabled()
        expect(labeling.part("measurement-settled")).to_be_visible()
        expect(labeling.part("checkpoint-measurement")).to_be_visible()
        labeling.part("checkpoints-back").click()

        labeling.part("prune-checkpoints").click()
        labeling.part("prune-keep").fill("0")
        labeling.part("prune-keep").press("Enter")
        expect(labeling.part("prune-plan")).to_contain_text("it is pinned")
        going = len(client.json("GET", "checkpoints")) - 2
        if going:
            labeling.part("prune-confirm").click()
            expect(labeling.part(f"checkpoint-{oldest}")).to_be_visible()
        left = [row["id"] for row in client.json("GET", "checkpoints")]
        assert left == [newest, oldest]
        assert client.json("GET", "checkpoints")[-1]["name"] == "first try"
