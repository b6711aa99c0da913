"""Files that other programs read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from starlette.testclient import TestClient

from backend.services.export.as_png_masks import MaskNames
from initialization.label_files import ImageIndex, read_class_labels

POINTS = [{"x": 1.5, "y": 2.25, "class_id": 1}, {"x": 60, "y": 40, "class_id": 2}]


@pytest.fixture
def labelled(seg: TestClient, segmentation_session: Any) -> TestClient:
    seg.put("/api/images/1/annotations", json={"points": POINTS[:1]})
    seg.put("/api/images/1/annotations", json={"points": POINTS})
    for image_id in (1, 2):
        segmentation_session.add_prediction(image_id)
    return seg


def test_export__json_is_complete(labelled: TestClient) -> None:
    response = labelled.get("/api/export?format=json&history=true")
    assert response.headers["content-disposition"] == 'attachment; filename="toy-segmentation.json"'
    document = response.json()
    assert document["session"]["task"] == "segmentation"
    assert [c["name"] for c in document["classes"]] == ["foreground", "background"]
    assert len(document["images"]) == 6
    first = document["images"][0]
    assert (first["path"], first["status"], first["revision"], first["split"]) == ("image_0.png", "labeled", 2, "train")
    assert [{key: p[key] for key in ("x", "y", "class_id")} for p in first["points"]] == POINTS
    assert [len(state["points"]) for state in first["history"]] == [1, 2]
    assert "history" not in labelled.get("/api/export").json()["images"][0]
    # A class that was merged is another one now, then too.
    assert labelled.patch("/api/classes/1", json={"merge_into": 2}).status_code == 200
    first = labelled.get("/api/export?format=json&history=true").json()["images"][0]
    assert [[point["class_id"] for point in state["points"]] for state in first["history"]] == [[2], [2, 2]]


def test_export__csv_of_points(labelled: TestClient) -> None:
    response = labelled.get("/api/export?format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [(r["path"], float(r["x"]), float(r["y"]), r["class"], r["origin"]) for r in rows] == [
        ("image_0.png", 1.5, 2.25, "foreground", "human"),
        ("image_0.png", 60, 40, "background", "human"),
    ]


def test_export__csv_of_labels(cla: TestClient) -> None:
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    rows = list(csv.DictReader(io.StringIO(cla.get("/api/export?format=csv").text)))
    assert rows == [{"image_id": "3", "path": "image_2.png", "class_id": "2", "class": "dog", "origin": "human"}]


def test_export__csv_has_no_formulas_and_comes_back(cla: TestClient, tmp_path: Path) -> None:
    name = '=HYPERLINK("http://localhost")'
    cla.patch("/api/classes/2", json={"name": name})
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    cla.put("/api/images/3/comment", json={"text": "-1+1"})
    content = cla.get("/api/export?format=csv").content
    row = next(csv.DictReader(io.StringIO(content.decode())))
    assert (row["class"], row["comment"]) == (f"'{name}", "'-1+1")
    (tmp_path / "labels.csv").write_bytes(content)
    found = read_class_labels(tmp_path / "labels.csv", ImageIndex(["image_2.png"]))
    assert (found.classes, found.problems) == ({"image_2.png": name}, [])


def test_export__csv_of_all_images_has_a_line_for_each(cla: TestClient) -> None:
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    cla.put("/api/images/4/comment", json={"text": "ask Ada"})
    cla.post("/api/images/5/annotations/skip")
    total = cla.get("/api/images").json()["total"]
    rows = list(csv.DictReader(io.StringIO(cla.get("/api/export?format=csv&scope=all").text)))
    assert [int(row["image_id"]) for row in rows] == list(range(1, total + 1))
    said = [(row["class"], row["comment"], row["status"]) for row in rows[1:5]]
    assert said == [
        ("", "", "unlabeled"),
        ("dog", "", "labeled"),
        ("", "ask Ada", "unlabeled"),
        ("", "", "skipped"),
    ]
    assert list(rows[0])[:5] == ["image_id", "path", "class_id", "class", "origin"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_export__coco_masks(labelled: TestClient, tmp_path: Any) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(labelled.get("/api/export?format=coco").content)
    coco = COCO(path)
    assert coco.getImgIds() == [1]
    assert [p["category_id"] for p in coco.imgs[1]["points"]] == [1, 2]
    masks = [coco.annToMask(annotation) for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[1]))]
    assert [annotation["category_id"] for annotation in coco.dataset["annotations"]] == [1, 2]
    assert masks[0].shape == (48, 64)
    assert (masks[0] + masks[1] == 1).all()
    assert masks[0][:, :24].mean() > 0.95
    assert coco_mask.area(coco.annToRLE(coco.dataset["annotations"][0])) == masks[0].sum()
    assert len(labelled.get("/api/export?format=coco&scope=all").json()["images"]) == 6


def test_export__coco_of_whole_images(cla: TestClient) -> None:
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    document = cla.get("/api/export?format=coco").json()
    (annotation,) = document["annotations"]
    assert (annotation["image_id"], annotation["category_id"], annotation["bbox"]) == (3, 2, [0, 0, 40, 40])


@pytest.mark.parametrize(("scope", "names"), [("labeled", [1]), ("all", [1, 2])])
def test_export__png_masks(labelled: TestClient, scope: str, names: list[int]) -> None:
    response = labelled.get(f"/api/export?format=png-masks&scope={scope}")
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    legend = json.loads(archive.read("classes.json"))
    assert [c["value"] for c in legend["classes"]] == [0, 1]
    assert sorted(archive.namelist()) == sorted(
        ["classes.json", *(f"masks/image_{number - 1}.png" for number in names)]
    )
    picture = PillowImage.open(archive.open("masks/image_0.png"))
    assert (picture.mode, picture.size) == ("P", (64, 48))
    assert picture.getpalette()[:6] == [0, 255, 0, 255, 0, 0]
    assert np.asarray(picture)[:, :24].mean() < 0.05


def test_export__what_makes_no_sense_is_refused(cla: TestClient) -> None:
    response = cla.get("/api/export?format=png-masks")
    assert response.status_code == 400
    assert "format png-masks is not for a classification session: choose one of coco, csv, json" in response.text


def test_export__leaves_removed_classes_out(labelled: TestClient) -> None:
    labelled.delete("/api/classes/2")
    assert len(labelled.get("/api/export").json()["images"][0]["points"]) == 1
    assert {a["category_id"] for a in labelled.get("/api/export?format=coco").json()["annotations"]} == {1}


def test_mask_names__short_where_no_two_share_one() -> None:
    paths = ["a.png", "a.jpg", "b/x.tif", "b/y.JPG", "B/Y.png", "a.png.tif", "v1.2/scan", "c.d.png"]
    names = MaskNames(paths)
    assert {path: names.name(path) for path in paths} == {
        "a.png": "a.png.png",
        "a.jpg": "a.jpg.png",
        "b/x.tif": "b/x.png",
        "b/y.JPG": "b/y.JPG.png",
        "B/Y.png": "B/Y.png.png",
        "a.png.tif": "a.png.tif.png",
        "v1.2/scan": "v1.2/scan.png",
        "c.d.png": "c.d.png",
    }


@given(
    st.lists(st.text("aA.b/", min_size=1).filter(lambda p: PurePosixPath(p).name not in {"", ".", ".."}), unique=True)
)
def test_mask_names__never_shared(paths: list[str]) -> None:
    paths = list({str(PurePosixPath(path)).casefold(): str(PurePosixPath(path)) for path in paths}.values())
    names = MaskNames(paths)
    assert len({names.name(path).casefold() for path in paths}) == len(paths)
