"""Segmentation in a real browser, from init to an exported file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.labeling_page import LabelingPage
from tests.end_to_end.sample_images import TILE

RUN_LIMIT_MS = 120_000


def class_ids(client: Client) -> tuple[int, int]:
    foreground, background = (entry["id"] for entry in client.json("GET", "config")["classes"])
    return foreground, background


def two_clicks(labeling: LabelingPage, foreground: int, background: int) -> None:
    """One point of each class; returns when the overlay shows what was learned from both."""
    start = labeling.annotation_revision
    labeling.part(f"class-{foreground}").click()
    labeling.click_image(0.5, 0.5)
    labeling.wait_for_revision(start + 1)
    labeling.part(f"class-{background}").click()
    labeling.click_image(0.35, 0.4)
    labeling.wait_for_revision(start + 2)


def test_label__overlay_follows_undo_next_reload(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = class_ids(client)
        labeling.open(product.url)
        first_image = labeling.image_id
        assert labeling.annotation_revision == 0

        labeling.part(f"class-{foreground}").click()
        labeling.click_image(0.5, 0.5)
        labeling.wait_for_revision(1)
        (point,) = client.annotations(first_image)["points"]
        assert (point["x"], point["y"]) == pytest.approx((TILE[0] / 2, TILE[1] / 2), abs=1)
        assert (point["class_id"], point["origin"]) == (foreground, "human")
        one_class = labeling.overlay_ink()
        assert one_class[0] > 0

        labeling.part(f"class-{background}").click()
        labeling.click_image(0.35, 0.4)
        labeling.wait_for_revision(2)
        two_classes = labeling.overlay_ink()
        assert two_classes != one_class

        labeling.part("undo").click()
        labeling.wait_for_revision(3)
        assert len(client.annotations(first_image)["points"]) == 1
        labeling.part("redo").click()
        labeling.wait_for_revision(4)
        assert len(client.annotations(first_image)["points"]) == 2

        labeling.click_image(0.36, 0.41, button="right")
        labeling.wait_for_revision(5)
        (left,) = client.annotations(first_image)["points"]
        assert left["class_id"] == foreground
        labeling.part("undo").click()
        labeling.wait_for_revision(6)

        labeling.part("next").click()
        labeling.wait_until(lambda: labeling.image_id != first_image, "the next image")
        second_image = labeling.image_id
        labeling.wait_until(lambda: labeling.overlay_ink()[0] > 0, "the prediction of an image without clicks")
        labeling.part("previous").click()
        labeling.wait_until(lambda: labeling.image_id == first_image, "the image before")

        labeling.part("jump-to-image").click()
        labeling.page.keyboard.type(str(second_image))
        labeling.page.keyboard.press("Enter")
        labeling.wait_until(lambda: labeling.image_id == second_image, "the image jumped to")
        assert str(second_image) in labeling.part("image-id").inner_text()

        labeling.part("previous").click()
        labeling.wait_until(lambda: labeling.image_id == first_image, "the image labelled")
        labeling.wait_for_revision(6)
        labeling.page.reload()
        labeling.wait_for_image()
        assert labeling.image_id == first_image
        labeling.wait_for_revision(6)
        labeling.wait_until(lambda: labeling.overlay_ink()[0] > 0, "the overlay after the reload")
        assert len(client.annotations(first_image)["points"]) == 2
        labeling.part("undo").click()
        labeling.wait_for_revision(7)


# pycocotools' own decoder, under NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_save__trains_and_exports(
    start_product: Callable[[str], Product], labeling: LabelingPage, tmp_path: Path
) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        foreground, background = class_ids(client)
        labeling.open(product.url)
        labelled = []
        for _ in range(3):
            labelled.append(labeling.image_id)
            two_clicks(labeling, foreground, background)
            labeling.part("next").click()
            labeling.wait_until(lambda: labeling.image_id not in labelled, "the next image")

        labeling.part("save").click()
        state = labeling.part("training-state")
        labeling.wait_until(lambda: "FINISHED" in state.inner_text().upper(), "the end of the run", RUN_LIMIT_MS)
        training = client.json("GET", "training")
        assert training["state"] == "FINISHED"
        assert len(training["train_loss"]) == training["epoch"] > 0
        chart = labeling.part("loss-chart")
        chart.scroll_into_view_if_needed()
        assert chart.is_visible()

        exported = json.loads(labeling.export("json", tmp_path).read_text(encoding="utf-8"))
        check_json(exported, client, labelled)
        check_coco(labeling.export("coco", tmp_path), tmp_path, labelled)
        check_masks(labeling.export("png-masks", tmp_path), len(labelled))


def check_json(exported: dict[str, object], client: Client, labelled: list[int]) -> None:
    images = {entry["id"]: entry for entry in exported["images"]}  # type: ignore[attr-defined]
    assert set(labelled) <= set(images)
    for image_id in labelled:
        stored = [(p["x"], p["y"], p["class_id"]) for p in client.annotations(image_id)["points"]]
        assert [(p["x"], p["y"], p["class_id"]) for p in images[image_id]["points"]] == stored


def check_coco(path: Path, folder: Path, labelled: list[int]) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".json")]
            path = Path(archive.extract(name, folder))
    coco = COCO(path)
    assert len(coco.getImgIds()) >= len(labelled)
    assert coco.getAnnIds()
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation)
        image = coco.loadImgs(annotation["image_id"])[0]
        assert mask.shape == (image["height"], image["width"]) == TILE[::-1]
        assert mask.any()


def check_masks(path: Path, count: int) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.endswith(".png")]
        assert len(names) == count
        for name in names:
            with Image.open(io.BytesIO(archive.read(name))) as mask:
                assert mask.size == TILE
                assert np.unique(np.asarray(mask)).size >= 1
