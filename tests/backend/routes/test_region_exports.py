"""Exports of what people painted."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from models.region_shapes import Polygon, compose
from models.run_lengths import decode_runs
from tests.backend.routes.region_calls import BOX, ERASER, POINT, PUT, STROKE, add, mask


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


def test_export__yolo_of_regions(seg: TestClient) -> None:
    expected = painted(seg)
    archive = zipfile.ZipFile(io.BytesIO(seg.get("/api/export", params={"format": "yolo-segment"}).content))
    assert sorted(archive.namelist()) == ["data.yaml", "labels/image_0.txt", "train.txt", "val.txt"]
    assert archive.read("train.txt").decode() == "./images/image_0.png\n"
    assert archive.read("data.yaml").decode().endswith('names:\n  0: "foreground"\n  1: "background"\n')
    found = np.zeros_like(expected)
    height, width = expected.shape
    for line in archive.read("labels/image_0.txt").decode().splitlines():
        number, *values = line.split()
        corners = np.array(values, dtype=float).reshape(-1, 2) * (width, height)
        found[compose([(Polygon((corners,)), 1)], width, height) == 1] = int(number) + 1
    assert (found == expected).all()


def test_export__json_has_regions_and_the_shapes_of_earlier_ones(seg: TestClient) -> None:
    add(seg, STROKE)
    state = seg.put(PUT, json={"regions": [BOX]}).json()
    image = seg.get("/api/export", params={"history": True}).json()["images"][0]
    assert [(r["kind"], r["class_id"], r["geometry"]) for r in image["regions"]] == [("box", 2, BOX["geometry"])]
    earlier = image["history"][0]["regions"][0]
    assert image["shapes"][str(earlier["shape_id"])] == {"kind": "stroke", "geometry": STROKE["geometry"]}
    assert image["history"][1]["regions"][0]["id"] == state["regions"][0]["id"]
    assert "shapes" not in seg.get("/api/export").json()["images"][0]
