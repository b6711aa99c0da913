"""A session with preprocessing, made by the real init: every picture that leaves the backend is preprocessed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from db.database import Database
from db.tables.images import Image
from db.tables.learning import Prediction
from models.images import read_image
from models.prediction_store import write_map
from models.preprocessing import Crop, Preprocessing, ValueRange
from tests.backend.routes.pictures import decode
from tests.initialization.fakes import init, save_picture, write_config

PREPROCESSING = Preprocessing(Crop(left=2, bottom=4), (3, 1, 2), ValueRange(0, 255))


@pytest.fixture
def client(tmp_path: Path, serve: Callable[..., TestClient]) -> TestClient:
    """Images a/b.png and a_b.png of 24 x 16 pixels, and a five-band TIFF; what is shown has 22 x 12."""
    for name in ("a/b.png", "a_b.png"):
        save_picture(tmp_path / "images" / name)
    bands = np.random.default_rng(0).integers(0, 256, (16, 24, 5)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "images/deep.tif", bands, planarconfig="contig", photometric="minisblack")
    assert init(write_config(tmp_path, preprocessing=PREPROCESSING.to_json()), "--yes") == 0
    return serve(SimpleNamespace(folder=tmp_path / "session"))


def test_file__is_preprocessed(client: TestClient, tmp_path: Path) -> None:
    for image in client.get("/api/images").json()["items"]:
        assert (image["width"], image["height"]) == (22, 12)
        expected = read_image(tmp_path / "images" / image["path"], preprocessing=PREPROCESSING)
        response = client.get(f"/api/images/{image['id']}/file")
        np.testing.assert_array_equal(decode(response.content), expected)
        assert response.headers["etag"].endswith(f'{PREPROCESSING.key}-full"'), "another session's picture is another"
        thumbnail = decode(client.get(f"/api/images/{image['id']}/thumbnail", params={"size": 128}).content)
        assert thumbnail.shape == (12, 22, 3)


def test_file__of_another_size_than_registered_is_refused(client: TestClient, tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a_b.png", size=(50, 40))
    response = client.get("/api/images/2/file")
    assert response.status_code == 409
    assert "48 x 36 pixels, 22 x 12 when it was registered" in response.json()["detail"]


def test_exports__keep_names_apart_and_name_the_preprocessing(client: TestClient, tmp_path: Path) -> None:
    database = Database.of_session(tmp_path / "session")
    with database.write() as db_session:
        for image in db_session.query(Image):
            logits = np.full((2, 4, 8), image.id, np.float32)
            path = write_map(tmp_path / "session", image.id, 1, logits)
            db_session.add(
                Prediction(image_id=image.id, version=1, annotation_revision=0, class_ids=[1, 2], map_path=path)
            )
    database.close()
    archive = zipfile.ZipFile(
        io.BytesIO(client.get("/api/export", params={"format": "png-masks", "scope": "all"}).content)
    )
    assert {"masks/a/b.png", "masks/a_b.png", "masks/deep.png"} < set(archive.namelist())
    assert {PillowImage.open(archive.open(f"masks/{name}.png")).size for name in ("a/b", "a_b", "deep")} == {(22, 12)}
    coco = json.loads(client.get("/api/export", params={"format": "coco", "scope": "all"}).content)
    assert coco["info"]["preprocessing"] == PREPROCESSING.to_json()
    assert [(entry["file_name"], entry["width"]) for entry in coco["images"]] == [
        ("a/b.png", 22), ("a_b.png", 22), ("deep.tif", 22)
    ]  # fmt: skip
    complete = json.loads(client.get("/api/export", params={"format": "json"}).content)
    assert complete["session"]["extractor"]["options"]["preprocessing"] == PREPROCESSING.to_json()
    points = {"points": [{"x": 1.5, "y": 2.5, "class_id": 1}]}
    for image_id in (1, 2):
        assert client.put(f"/api/images/{image_id}/annotations", json=points).status_code == 200
    lines = client.get("/api/export", params={"format": "csv"}).text.splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["a/b.png", "a_b.png"]
