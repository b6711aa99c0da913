"""Maps of the backend lie where the head's classes lie, to a fraction of a pixel."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from models.prediction_store import upsampled_probabilities
from tests.boundaries import DARK, Boundary, crossing, put

BOUNDARIES = [
    Boundary(641, 479, 8, vertical=True),
    Boundary(641, 479, 633, vertical=True),
    Boundary(641, 479, 8, vertical=False),
    Boundary(641, 479, 471, vertical=False),
    Boundary(333, 500, 111, vertical=True),
    Boundary(16, 1900, 6, vertical=True),
    Boundary(16, 1900, 1700, vertical=False),
    Boundary(1900, 16, 100, vertical=True),
    Boundary(31, 37, 5, vertical=True),
    Boundary(1, 700, 350, vertical=False),
]


def full_map(client: TestClient, image_id: int = 1) -> np.ndarray:
    return shown_map(client, 1, image_id)


def shown_map(client: TestClient, class_id: int, image_id: int = 1) -> np.ndarray:
    response = client.get(f"/api/images/{image_id}/prediction/map?class_id={class_id}&size=image")
    return np.asarray(Image.open(io.BytesIO(response.content)))


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_send_map__boundary_is_within_half_a_pixel(
    seg: TestClient, segmentation_session: Any, boundary: Boundary
) -> None:
    put(segmentation_session, 1, boundary)
    found = full_map(seg)
    assert found.shape == (boundary.height, boundary.width)
    assert abs(crossing(boundary.profile(found), 127.5) - boundary.at) < 0.5


@pytest.mark.parametrize(
    "boundary",
    [
        Boundary(2601, 1399, 2333, vertical=True),
        Boundary(16, 9000, 6, vertical=True),
        Boundary(16, 9000, 4000, vertical=False),
        Boundary(9000, 16, 10, vertical=False),
    ],
    ids=str,
)
def test_send_map__of_a_large_picture(seg: TestClient, segmentation_session: Any, boundary: Boundary) -> None:
    put(segmentation_session, 1, boundary)
    found = full_map(seg)
    assert abs(crossing(boundary.profile(found), 127.5) - boundary.at) < 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_send_map__every_orientation(seg: TestClient, segmentation_session: Any, orientation: int) -> None:
    """Picture and map are upright: their boundaries lie in the same place."""
    boundary = Boundary(230, 170, 60, vertical=orientation % 2 == 0, orientation=orientation)
    put(segmentation_session, 1, boundary)
    shown = np.asarray(Image.open(io.BytesIO(seg.get("/api/images/1/file").content)).convert("L"))
    assert shown.shape == (boundary.height, boundary.width)
    assert boundary.profile(shown)[:50].max() < DARK + 15
    assert np.argmax(boundary.profile(shown) > DARK + 35) == boundary.at
    assert abs(crossing(boundary.profile(full_map(seg)), 127.5) - boundary.at) < 0.5


def test_export_masks__class_ends_at_the_boundary(seg: TestClient, segmentation_session: Any) -> None:
    boundary = Boundary(641, 479, 201, vertical=True)
    put(segmentation_session, 1, boundary)
    seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]})
    with zipfile.ZipFile(io.BytesIO(seg.get("/api/export?format=png-masks").content)) as archive:
        name = next(name for name in archive.namelist() if "boundary_1" in name)
        mask = np.asarray(Image.open(io.BytesIO(archive.read(name))))
    row = boundary.profile(mask)
    assert mask.shape == (boundary.height, boundary.width)
    assert abs(int(np.argmax(row != row[0])) - boundary.at) <= 1


def test_export_masks__are_the_most_probable_class_of_the_shown_maps(
    seg: TestClient, segmentation_session: Any
) -> None:
    boundary = Boundary(641, 479, 203, vertical=True)
    put(segmentation_session, 1, boundary)
    rng = np.random.default_rng(0)
    logits = boundary.logits() + rng.normal(0, 4, boundary.logits().shape).astype(np.float32)
    segmentation_session.add_prediction(1, logits=logits)
    seg.put("/api/images/1/annotations", json={"points": [{"x": 300.5, "y": 200.5, "class_id": 1}]})
    with zipfile.ZipFile(io.BytesIO(seg.get("/api/export?format=png-masks").content)) as archive:
        legend = json.loads(archive.read("classes.json"))
        mask = np.asarray(Image.open(io.BytesIO(archive.read(legend["masks"]["boundary_1.png"]))))
    ids = [entry["id"] for entry in legend["classes"]]
    maps = {class_id: shown_map(seg, class_id).astype(int) for class_id in ids}
    best = np.max(list(maps.values()), axis=0)
    for value, class_id in enumerate(ids):
        # Where two classes are shown alike, the mask has one of them.
        assert (maps[class_id] == best)[mask == value].all()
    assert len(np.unique(mask)) == 2


def test_send_map__what_was_clicked_is_not_overruled(seg: TestClient, segmentation_session: Any) -> None:
    boundary = Boundary(641, 479, 203, vertical=True)
    put(segmentation_session, 1, boundary)
    rng = np.random.default_rng(1)
    logits = boundary.logits() + rng.normal(0, 4, boundary.logits().shape).astype(np.float32)
    segmentation_session.add_prediction(1, logits=logits)
    grid_says = upsampled_probabilities(logits.astype(np.float16).astype(np.float32), 641, 479)[0] > 0.5
    rows, columns = np.nonzero(grid_says & (full_map(seg) < 120))
    assert len(rows) > 10
    places = [(int(row), int(column)) for row, column in zip(rows[::50], columns[::50], strict=True)][:20]
    points = [{"x": column + 0.5, "y": row + 0.5, "class_id": 1} for row, column in places]
    assert seg.put("/api/images/1/annotations", json={"points": points}).status_code == 200
    found = full_map(seg)
    assert all(found[row, column] >= 127 for row, column in places)


def test_send_map__a_picture_of_another_size_is_refused(seg: TestClient, segmentation_session: Any) -> None:
    put(segmentation_session, 1, Boundary(200, 100, 50, vertical=True))
    other = Boundary(100, 100, 50, vertical=True).picture()
    Image.fromarray(other).save(segmentation_session.image_root / "boundary_1.png")
    response = seg.get("/api/images/1/prediction/map?class_id=1&size=image")
    assert response.status_code == 409
    assert "200 x 100 when it was registered" in response.json()["detail"]


def test_send_map__follows_a_picture_that_was_changed(seg: TestClient, segmentation_session: Any) -> None:
    boundary = Boundary(641, 479, 203, vertical=True)
    put(segmentation_session, 1, boundary)
    rng = np.random.default_rng(1)
    logits = boundary.logits() + rng.normal(0, 4, boundary.logits().shape).astype(np.float32)
    maps = []
    for version in (2, 3, 4):
        segmentation_session.add_prediction(1, version=version, logits=logits)
        maps.append(full_map(seg))
        if version == 3:
            changed = Boundary(641, 479, 215, vertical=True).picture()
            Image.fromarray(changed).save(segmentation_session.image_root / "boundary_1.png")
    np.testing.assert_array_equal(maps[1], maps[0])
    assert not np.array_equal(maps[2], maps[0])
