"""Several classes per image in a real browser, from init to an exported file."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from benchmarks.client import Client
from benchmarks.product import ROOT, Product
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.sample_images import classes_of

RUN_LIMIT_MS = 120_000
BRICK, GRASS, DARK = 1, 2, 3
NAMES = {"brick": BRICK, "grass": GRASS, "dark": DARK}


def true_ids(client: Client, image_id: int) -> list[int]:
    return [NAMES[name] for name in classes_of(client.json("GET", f"images/{image_id}")["path"])]


def held(client: Client, image_id: int) -> list[int] | None:
    labels: list[dict[str, Any]] | None = client.annotations(image_id)["labels"]
    return None if labels is None else [label["class_id"] for label in labels]


def shows_newest(labeling: LabelingPage, client: Client) -> bool:
    """Whether the prediction on screen has learned from all: accepting an older one is refused."""
    newest = client.json("GET", f"images/{labeling.image_id}/prediction")
    return not newest["stale"] and labeling.canvas.get_attribute("data-prediction-version") == str(newest["version"])


def answer_by_keys(labeling: LabelingPage, client: Client, count: int) -> dict[int, list[int]]:
    """Give `count` images their true classes with the keyboard alone; class ids by image id."""
    given: dict[int, list[int]] = {}
    for _ in range(count):
        image_id = labeling.image_id
        wanted = true_ids(client, image_id)
        for key in wanted or [0]:
            labeling.page.keyboard.press(str(key))
        labeling.wait_until(lambda w=wanted, i=image_id: held(client, i) == w, f"classes {wanted}")  # type: ignore[misc]
        given[image_id] = wanted
        labeling.page.keyboard.press("Enter")
        labeling.wait_until(lambda: labeling.image_id not in given, "the next image")
    return given


def test_answer__keyboard_alone_then_suggestions(
    start_product: Callable[[str], Product], labeling: LabelingPage, tmp_path: Path
) -> None:
    product = start_product("multilabel")
    with Client(product.url) as client:
        labeling.open(product.url)
        expect(labeling.part("answer-state")).to_have_attribute("data-state", "open")
        given = answer_by_keys(labeling, client, 12)
        labeling.wait_until(lambda: labeling.prediction_revision >= 0, "a prediction of an unlabelled image")
        image_id = labeling.image_id
        labeling.wait_until(lambda: shows_newest(labeling, client), "the newest prediction on screen")
        expect(labeling.part("answer-state")).to_have_attribute("data-state", "suggested")
        assert labeling.confidence(BRICK) + labeling.confidence(GRASS) <= 1.01
        suggested = [i for i in NAMES.values() if labeling.part(f"class-{i}").get_attribute("data-suggested") == "true"]
        assert suggested == [i for i in NAMES.values() if labeling.confidence(i) > 0.5]
        labeling.page.keyboard.press("Enter")
        labeling.wait_until(lambda: held(client, image_id) == suggested, "the accepted classes")
        expect(labeling.part("answer-state")).to_have_attribute("data-state", "answered")
        given[image_id] = suggested

        with labeling.export("csv", tmp_path).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        exported = {int(row["image_id"]): [NAMES[name] for name in NAMES if row[name] == "1"] for row in rows}
        assert exported == given
    file = tmp_path / "from_the_command_line.csv"
    command = [sys.executable, "-m", "fewclick.cli", "export", str(file), "--session", str(product.session_dir)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60, capture_output=True)
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(given) + 1


def test_answer__mouse_alone_groups_and_undo(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("multilabel")
    with Client(product.url) as client:
        # There is a label and a prediction all the while, whatever is taken back below.
        client.put_annotations(18, {"class_ids": [DARK]})
        labeling.open(product.url)
        first = labeling.image_id
        labeling.wait_until(lambda: labeling.prediction_revision >= 0, "a prediction")
        expect(labeling.part("class-group")).to_contain_text("material")
        for class_id, wanted in ((BRICK, [BRICK]), (DARK, [BRICK, DARK]), (GRASS, [GRASS, DARK]), (DARK, [GRASS])):
            labeling.part(f"class-{class_id}").click()
            labeling.wait_until(lambda w=wanted: held(client, first) == w, f"classes {wanted}")  # type: ignore[misc]
        expect(labeling.part(f"class-{GRASS}")).to_have_attribute("aria-checked", "true")
        expect(labeling.part(f"class-{BRICK}")).to_have_attribute("aria-checked", "false")
        # The last class taken off leaves no answer; that none holds is said on purpose.
        labeling.part(f"class-{GRASS}").click()
        labeling.wait_until(lambda: held(client, first) is None, "no answer")
        labeling.part("none").click()
        labeling.wait_until(lambda: held(client, first) == [], "the answer none")
        expect(labeling.part("none-badge")).to_be_visible()
        labeling.part("undo").click()
        labeling.wait_until(lambda: held(client, first) is None, "the answer to be undone")
        labeling.part("redo").click()
        labeling.wait_until(lambda: held(client, first) == [], "the answer to be redone")
        labeling.part("answer-next").click()
        labeling.wait_until(lambda: labeling.image_id != first, "the next image")
        expect(labeling.part("save-sign")).to_have_attribute("data-status", "saved")


def test_classes__regrouped_on_the_page_and_a_run(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("multilabel")
    with Client(product.url) as client:
        labeling.open(product.url)
        answer_by_keys(labeling, client, 10)
        labeling.part("save").click()
        state = labeling.part("training-state")
        labeling.wait_until(lambda: "FINISHED" in state.inner_text().upper(), "the end of the run", RUN_LIMIT_MS)
        assert client.json("GET", "training")["epoch"] > 0
        labeling.part("edit-classes").click()
        labeling.part(f"group-{GRASS}").fill("")
        labeling.part(f"group-{GRASS}").press("Enter")
        labeling.wait_until(
            lambda: [c["group"] for c in client.json("GET", "config")["classes"]] == ["material", None, None],
            "grass without a group",
        )
