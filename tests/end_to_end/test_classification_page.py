"""Classification in a real browser, from init to an exported file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.sample_images import texture_of

RUN_LIMIT_MS = 120_000


def label_images(labeling: LabelingPage, client: Client, count: int) -> dict[int, int]:
    """Give `count` images their true class by clicking; class id by image id."""
    class_ids = {entry["name"]: entry["id"] for entry in client.json("GET", "config")["classes"]}
    given: dict[int, int] = {}
    labeling.part("auto-advance").set_checked(False)
    for _ in range(count):
        image_id = labeling.image_id
        class_id = class_ids[texture_of(client.json("GET", f"images/{image_id}")["path"])]
        labeling.part(f"class-{class_id}").click()
        labeling.wait_for_revision(1)
        assert client.annotations(image_id)["label"] == {"class_id": class_id, "origin": "human"}
        given[image_id] = class_id
        labeling.part("next").click()
        labeling.wait_until(lambda: labeling.image_id not in given, "the next image")
    return given


def test_label__confidence_bars_follow_and_undo(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        labeling.open(product.url)
        given = label_images(labeling, client, 9)
        labeling.wait_until(lambda: labeling.prediction_revision >= 0, "a prediction of an unlabelled image")
        image_id = labeling.image_id
        assert image_id not in given
        classes = client.json("GET", "config")["classes"]
        shown = {entry["id"]: labeling.confidence(entry["id"]) for entry in classes}
        assert abs(sum(shown.values()) - 1) < 0.05
        path = client.json("GET", f"images/{image_id}")["path"]
        best = max(shown, key=lambda class_id: shown[class_id])
        assert next(entry["name"] for entry in classes if entry["id"] == best) == texture_of(path)

        tops = {i: labeling.part(f"confidence-bar-{i}").bounding_box() for i in shown}
        order = sorted(tops, key=lambda i: tops[i]["y"])  # type: ignore[index]
        assert [shown[i] for i in order] == sorted(shown.values(), reverse=True)

        first = next(iter(given))
        labeling.part("jump-to-image").click()
        labeling.page.keyboard.type(str(first))
        labeling.page.keyboard.press("Enter")
        labeling.wait_until(lambda: labeling.image_id == first, "the image jumped to")
        labeling.wait_for_revision(1)
        labeling.part("undo").click()
        labeling.wait_until(lambda: client.annotations(first)["label"] is None, "the label to be undone")
        labeling.part("redo").click()
        labeling.wait_until(lambda: client.annotations(first)["label"] is not None, "the label to be redone")
        labeling.wait_for_revision(3)
        labeling.wait_until(lambda: labeling.confidence(given[first]) > 0.5, "the bar of the label")


def test_label__goes_on_by_itself_and_saves(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        class_id = client.json("GET", "config")["classes"][0]["id"]
        labeling.open(product.url)
        labeling.part("auto-advance").set_checked(True)
        first = labeling.image_id
        labeling.part(f"class-{class_id}").click()
        labeling.wait_until(lambda: labeling.image_id != first, "the next image without a further click")
        expect(labeling.part("save-sign")).to_have_attribute("data-status", "saved")
        assert client.annotations(first)["label"] == {"class_id": class_id, "origin": "human"}
        labeling.part("previous").click()
        labeling.wait_until(lambda: labeling.image_id == first, "the image before")
        labeling.wait_for_revision(1)


def test_save__trains_and_exports(
    start_product: Callable[[str], Product], labeling: LabelingPage, tmp_path: Path
) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        labeling.open(product.url)
        given = label_images(labeling, client, 9)
        labeling.part("save").click()
        state = labeling.part("training-state")
        labeling.wait_until(lambda: "FINISHED" in state.inner_text().upper(), "the end of the run", RUN_LIMIT_MS)
        training = client.json("GET", "training")
        assert training["state"] == "FINISHED"
        assert len(training["train_loss"]) == training["epoch"] > 0

        exported = json.loads(labeling.export("json", tmp_path).read_text(encoding="utf-8"))
        labels = {entry["id"]: entry["label"]["class_id"] for entry in exported["images"] if entry.get("label")}
        assert labels == given
        with labeling.export("csv", tmp_path).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) >= len(given)


def test_key_one__labels_but_not_while_typing(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        classes = client.json("GET", "config")["classes"]
        labeling.open(product.url)
        image_id = labeling.image_id
        labeling.part("jump-to-image").click()
        labeling.page.keyboard.type("1fsk")
        labeling.page.wait_for_timeout(500)
        assert labeling.image_id == image_id
        assert client.annotations(image_id)["revision"] == 0
        assert client.json("GET", "training")["run_id"] is None
        labeling.page.keyboard.press("Escape")
        labeling.page.evaluate("document.activeElement?.blur()")
        labeling.page.keyboard.press("1")
        labeling.wait_until(lambda: client.annotations(image_id)["label"] is not None, "the label given by key")
        assert client.annotations(image_id)["label"] == {"class_id": classes[0]["id"], "origin": "human"}


def test_backend_gone__not_saved_then_sent_again(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        classes = client.json("GET", "config")["classes"]
        labeling.open(product.url)
        image_id = labeling.image_id
    sign = labeling.part("save-sign")
    expect(sign).to_have_text("Saved")
    labeling.watch.network_errors_allowed = True
    product.kill("backend")
    labeling.part(f"class-{classes[1]['id']}").click()
    expect(sign).to_contain_text("Offline")
    labeling.page.wait_for_timeout(1000)
    expect(sign).to_contain_text("Offline")
    product.start_backend()
    expect(sign).to_have_text("Saved", timeout=30_000)
    with Client(product.url) as client:
        assert client.annotations(image_id)["label"] == {"class_id": classes[1]["id"], "origin": "human"}
