"""Exports of what people painted."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from backend.services.export.as_yolo import listed_name
from db.enums import Split
from models.region_shapes import Polygon, compose
from models.run_lengths import decode_runs
from tests.backend.routes.region_calls import BOX, ERASER, POINT, PUT, STROKE, add, mask
from tests.conftest import ReadySession


def painted(client: TestClient) -> np.ndarray:
    add(client, {**BOX, "class_id": 1}, {**BOX, "geometry": {**BOX["geometry"], "x0": 20.0}}, ERASER)
    return mask(client)


def test_export__indexed_masks_are_what_the_regions_say(seg: TestClient, segmentation_session: Any) -> None:
    expected = painted(seg)
    segmentation_session.add_prediction(1)
    segmentation_session.add_prediction(2)
    seg.put("/api/images/2/annotations", json={"points": [POINT]})

    def exported(**params: str) -> dict[str, np.ndarray]:
        response = seg.get("/api/export", params={"format": "png-masks", **params})
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        names = [name for name in archive.namelist() if name.endswith(".png")]
        # As values of GET mask: 0 for no class.
        return {
            name: np.asarray(PillowImage.open(io.BytesIO(archive.read(name)))) + np.uint8(1) for name in sorted(names)
        }

    assert list(exported()) == ["masks/image_0.png", "masks/image_1.png"]
    assert (exported()["masks/image_0.png"] == expected).all()
    assert list(exported(masks="annotated")) == ["masks/image_0.png"]
    predicted = mask(seg, "predicted")
    assert (exported(masks="predicted")["masks/image_0.png"] == predicted).all()
    merged = exported(masks="merged")["masks/image_0.png"]
    assert (merged == np.where(expected > 0, expected, predicted)).all()
    assert (exported(masks="merged")["masks/image_1.png"] > 0).all()


@pytest.mark.parametrize("outlines", ["rle", "polygons"])
def test_export__coco_of_regions(seg: TestClient, outlines: str) -> None:
    expected = painted(seg)
    document = seg.get("/api/export", params={"format": "coco", "outlines": outlines}).json()
    found = np.zeros_like(expected)
    for annotation in document["annotations"]:
        told = annotation["segmentation"]
        if outlines == "rle":
            pixels = decode_runs(told["counts"], *told["size"])
        else:
            corners = np.array(told[0]).reshape(-1, 2)
            pixels = compose([(Polygon((corners,)), 1)], *expected.shape[::-1]) == 1
            assert annotation["area"] == pytest.approx(pixels.sum(), rel=0.2)
        found[pixels] = annotation["category_id"]
    assert (found == expected).all()


def test_export__yolo_of_regions(seg: TestClient, tmp_path: Path) -> None:
    expected = painted(seg)
    data, pairs = read_as_ultralytics(seg, tmp_path)
    assert data["names"] == {0: "foreground", 1: "background"}
    assert data["val"] == "train.txt"  # nothing is held out yet
    (picture, label), *more = pairs["train"]
    assert not more
    assert picture.read_bytes() == seg.get("/api/images/1/file").content
    found = np.zeros_like(expected)
    height, width = expected.shape
    for line in label.read_text().splitlines():
        number, *values = line.split()
        corners = np.array(values, dtype=float).reshape(-1, 2) * (width, height)
        found[compose([(Polygon((corners,)), 1)], width, height) == 1] = int(number) + 1
    assert (found == expected).all()


def test_export__yolo_keeps_the_names_of_classes(seg: TestClient, tmp_path: Path) -> None:
    names = ["cell 😀: #1", "line\u2028break"]
    for class_id, name in enumerate(names, start=1):
        assert seg.patch(f"/api/classes/{class_id}", json={"name": name}).status_code in (200, 422)
    painted(seg)
    data, _pairs = read_as_ultralytics(seg, tmp_path)
    assert data["names"] == {number: c["name"] for number, c in enumerate(seg.get("/api/config").json()["classes"])}
    assert data["names"][0] == names[0]


@pytest.mark.parametrize(
    "paths", [("images/a.png", "images_/a.png"), ("Dr./a.png", "Dr._/a.png"), ("a\nb.png", "a%0Ab.png", "a%250Ab.png")]
)
def test_listed_name__no_two_paths_get_one_name(paths: tuple[str, ...]) -> None:
    listed = [listed_name(path) for path in paths]
    assert len(set(listed)) == len(paths)
    assert not any("./" in name or "images/" in name or len(name.splitlines()) > 1 for name in listed)


def test_export__yolo_names_only_what_is_in_the_zip(
    seg: TestClient, segmentation_session: ReadySession, tmp_path: Path
) -> None:
    # Two that differ by their ending alone, one below another images/ and a folder that ends with a dot, one turned by
    # its EXIF, one that is gone, one whose name goes over two lines.
    names = {1: "b.png", 2: "b.jpg", 3: "Dr./images/b.png", 4: "turned.jpg", 5: "gone.png", 6: "two\nlines.png"}
    root, sizes = segmentation_session.image_root, set()
    for image_id, name in names.items():
        with PillowImage.open(root / f"image_{image_id - 1}.png") as opened:
            picture = opened.copy()
        sizes.add(picture.size)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "turned.jpg":
            exif = PillowImage.Exif()
            exif[0x0112] = 6
            picture.transpose(PillowImage.Transpose.ROTATE_90).save(root / name, exif=exif)
        elif name != "gone.png":
            picture.save(root / name)
    segmentation_session.change_images(
        {image_id: {"path": name, "split": Split.TRAIN} for image_id, name in names.items()}
    )
    segmentation_session.change_images({2: {"split": Split.VALIDATION}})
    for image_id in names:
        seg.put(f"/api/images/{image_id}/annotations", json={"regions": [BOX]})
    data, pairs = read_as_ultralytics(seg, tmp_path)
    assert (data["train"], data["val"]) == ("train.txt", "val.txt")
    train = sorted(picture.name for picture, _label in pairs["train"])
    assert train == ["b.png", "b.png.png", "turned.png", "two%0Alines.png"]
    assert [picture.name for picture, _label in pairs["val"]] == ["b.jpg.jpg"]
    assert "cannot be read: 1 images" in (tmp_path / "data.yaml").read_text()
    for picture, label in (*pairs["train"], *pairs["val"]):
        with PillowImage.open(picture) as shown:
            assert shown.size in sizes
        assert label.read_text().startswith("1 ")


def read_as_ultralytics(client: TestClient, folder: Path) -> tuple[dict[str, Any], dict[str, list[tuple[Path, Path]]]]:
    """data.yaml of the export, and by part the pictures with their labels, by the rules of ultralytics/data."""
    response = client.get("/api/export", params={"format": "yolo-segment"})
    zipfile.ZipFile(io.BytesIO(response.content)).extractall(folder)
    data = yaml.safe_load((folder / "data.yaml").read_text())
    assert "path" not in data  # the folder of data.yaml is meant
    pairs: dict[str, list[tuple[Path, Path]]] = {}
    for part in ("train", "val"):
        lines = (folder / data[part]).read_text().strip().splitlines()
        pictures = [line.replace("./", f"{folder}/") for line in lines]
        labels = ["/labels/".join(path.rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt" for path in pictures]
        pairs[part] = [(Path(picture), Path(label)) for picture, label in zip(pictures, labels, strict=True)]
        assert all(picture.is_file() and label.is_file() for picture, label in pairs[part])
        assert len(set(labels)) == len(labels) > 0
    return data, pairs


def test_export__json_has_regions_and_the_shapes_of_earlier_ones(seg: TestClient) -> None:
    add(seg, STROKE)
    state = seg.put(PUT, json={"regions": [BOX]}).json()
    image = seg.get("/api/export", params={"history": True}).json()["images"][0]
    assert [(r["kind"], r["class_id"], r["geometry"]) for r in image["regions"]] == [("box", 2, BOX["geometry"])]
    earlier = image["history"][0]["regions"][0]
    assert image["shapes"][str(earlier["shape_id"])] == {"kind": "stroke", "geometry": STROKE["geometry"]}
    assert image["history"][1]["regions"][0]["id"] == state["regions"][0]["id"]
    assert "shapes" not in seg.get("/api/export").json()["images"][0]
