"""Lists, next, pictures."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select
from starlette.testclient import TestClient

from db.tables.images import Image
from models.images import read_image
from tests.backend.routes.pictures import decode


def register(session: Any, name: str, **values: Any) -> int:
    with session.database.write() as db_session:
        image = Image(path=name, content_hash=name.rjust(64, "0"), random_key=0.5, **values)
        db_session.add(image)
        db_session.flush()
        return image.id


def test_list_images__pages(seg: TestClient) -> None:
    first = seg.get("/api/images", params={"limit": 4}).json()
    assert ([image["id"] for image in first["items"]], first["total"]) == ([1, 2, 3, 4], 6)
    second = seg.get("/api/images", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert ([image["id"] for image in second["items"]], second["next_cursor"]) == ([5, 6], None)
    assert first["items"][0] == {
        "id": 1, "path": "image_0.png", "width": 64, "height": 48, "status": "unlabeled", "features": "ready",
        "failure": None, "revision": 0, "class_id": None, "class_ids": None, "point_count": 0, "region_count": 0,
        "uncertainty": None, "predicted_class_id": None, "origin": None, "predicted_version": 0,
        "predicted_class_ids": None, "comment": None, "comment_revision": 0, "metadata": {},
    }  # fmt: skip


def test_list_images__from_a_place_on(seg: TestClient) -> None:
    page = seg.get("/api/images", params={"offset": 2, "limit": 3, "count": False}).json()
    assert ([image["id"] for image in page["items"]], page["total"]) == ([3, 4, 5], None)
    rest = seg.get("/api/images", params={"cursor": page["next_cursor"]}).json()
    assert [image["id"] for image in rest["items"]] == [6]
    assert seg.get("/api/images/ids", params={"offset": 4}).json() == {"ids": [5, 6], "total": 6, "label_sequence": 0}
    some = seg.get("/api/images", params={"ids": [5, 2, 99]}).json()
    assert [image["id"] for image in some["items"]] == [2, 5]
    assert seg.get("/api/images", params={"offset": 1, "cursor": "x"}).status_code == 400


def test_list_images__metadata(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.change_images({1: {"extra": {"site": "A", "year": 2020}}, 2: {"extra": {"site": "B"}}})
    assert [i["id"] for i in seg.get("/api/images", params={"meta": "site=A"}).json()["items"]] == [1]
    assert [i["id"] for i in seg.get("/api/images", params={"meta": ["site=A", "year=2020"]}).json()["items"]] == [1]
    assert seg.get("/api/images", params={"meta": ["site=B", "year=2020"]}).json()["items"] == []
    assert "expected meta=key=value" in seg.get("/api/images", params={"meta": "site"}).text
    assert seg.get("/api/images/metadata").json() == {"keys": {"site": ["A", "B"], "year": ["2020"]}}


def test_get_next_image__of_a_filter(cla: TestClient, classification_session: Any) -> None:
    classification_session.change_images(
        {
            2: {"uncertainty": 0.4, "predicted_class_id": 1},
            3: {"uncertainty": 0.1, "predicted_class_id": 1},
            5: {"uncertainty": 0.3, "predicted_class_id": 2},
        }
    )

    def following(current: int, **query: Any) -> int | None:
        query |= {"current_id": current, "strategy": "sequential"}
        response = cla.get("/api/images/next", params=query)
        return response.json()["id"] if response.status_code == 200 else None

    assert following(2, shown_class_id=1) == 3
    assert following(2, max_confidence=0.8) == 5
    assert following(3, predicted_class_id=2) == 5
    assert following(2, q="image_2") == 3
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    assert following(2, shown_class_id=1) is None
    assert following(5, shown_class_id=2, status="labeled") == 3
    details = cla.get("/api/images/3", params={"shown_class_id": 2}).json()
    assert (details["previous_id"], details["next_id"]) == (None, 5)


def test_get_image__neighbours(seg: TestClient) -> None:
    details = seg.get("/api/images/1").json()
    assert (details["previous_id"], details["next_id"]) == (None, 2)


def test_get_next_image__then_204(seg: TestClient) -> None:
    seen = []
    while (response := seg.get("/api/images/next")).status_code == 200:
        seen.append(response.json()["id"])
        seg.post(f"/api/images/{seen[-1]}/annotations/skip")
    assert (response.status_code, response.content) == (204, b"")
    assert seen == [1, 2, 3, 4, 5, 6]


def test_get_image_file__original_bytes(seg: TestClient, segmentation_session: Any) -> None:
    response = seg.get("/api/images/1/file")
    assert response.content == (segmentation_session.image_root / "image_0.png").read_bytes()
    assert response.headers["content-type"] == "image/png"
    again = seg.get("/api/images/1/file", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("kind", ["cmyk.tif", "grey16.png", "palette.gif", "alpha.png"])
def test_get_image_file__converted_to_the_pixels_that_features_see(
    seg: TestClient, segmentation_session: Any, kind: str
) -> None:
    random = np.random.default_rng(0)
    path = segmentation_session.image_root / kind
    rgb = PillowImage.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    match kind:
        case "grey16.png":
            PillowImage.fromarray(random.integers(0, 65536, (20, 30)).astype(np.uint16)).save(path)
        case "cmyk.tif":
            rgb.convert("CMYK").save(path)
        case "palette.gif":
            rgb.convert("P").save(path)
        case "alpha.png":
            rgb.convert("RGBA").save(path)
    image_id = register(segmentation_session, kind, width=30, height=20)
    for _ in range(2):
        np.testing.assert_array_equal(decode(seg.get(f"/api/images/{image_id}/file").content), read_image(path))


def test_get_image_file__upright(seg: TestClient, segmentation_session: Any) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    PillowImage.new("RGB", (40, 20)).save(segmentation_session.image_root / "turned.jpg", exif=exif)
    image_id = register(segmentation_session, "turned.jpg", width=20, height=40)
    assert decode(seg.get(f"/api/images/{image_id}/file").content).shape == (40, 20, 3)
    assert decode(seg.get(f"/api/images/{image_id}/file?max_side=10").content).shape == (10, 5, 3)


def test_get_image_file__max_side_never_enlarges(seg: TestClient) -> None:
    assert decode(seg.get("/api/images/1/file?max_side=32").content).shape == (24, 32, 3)
    assert decode(seg.get("/api/images/1/file?max_side=4000").content).shape == (48, 64, 3)


def test_get_image_thumbnail__is_cached(seg: TestClient, segmentation_session: Any) -> None:
    response = seg.get("/api/images/1/thumbnail?size=128")
    assert response.headers["content-type"] == "image/jpeg"
    assert decode(response.content).shape == (48, 64, 3)
    assert len([p for p in (segmentation_session.folder / "cache").rglob("*") if p.is_file()]) == 1
    assert seg.get("/api/images/1/thumbnail?size=128").content == response.content
    etag = {"if-none-match": response.headers["etag"]}
    assert seg.get("/api/images/1/thumbnail?size=128", headers=etag).status_code == 304


def test_get_image_thumbnail__replaced_file_is_not_cached_as_the_old_one(
    seg: TestClient, segmentation_session: Any
) -> None:
    path = segmentation_session.image_root / "image_0.png"
    old, status = path.read_bytes(), path.stat()
    with segmentation_session.database.write() as db_session:
        image = db_session.get_one(Image, 1)
        image.file_size, image.file_mtime_ns = status.st_size, status.st_mtime_ns
    PillowImage.new("RGB", (64, 48), "red").save(path)
    os.utime(path, ns=(0, status.st_mtime_ns + 1))
    assert decode(seg.get("/api/images/1/thumbnail?size=128").content)[0, 0, 0] > 240
    path.write_bytes(old)
    os.utime(path, ns=(0, status.st_mtime_ns))
    found = decode(seg.get("/api/images/1/thumbnail?size=128").content)
    assert found[..., 1].mean() > 50, "the old file is all colours"


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "link.png", "folder/../../secret.png"])
def test_get_image_file__nothing_outside_the_image_folder(
    seg: TestClient, segmentation_session: Any, name: str
) -> None:
    secret = segmentation_session.image_root.parent / "secret.png"
    PillowImage.new("RGB", (8, 8)).save(secret)
    (segmentation_session.image_root / "link.png").symlink_to(secret)
    image_id = register(segmentation_session, name, width=8, height=8)
    for path in ("file", "thumbnail"):
        response = seg.get(f"/api/images/{image_id}/{path}")
        assert response.status_code == 404
        assert "leads out of the image folder" in response.json()["detail"]


def test_get_image_file__of_an_unreadable_image_says_why(seg: TestClient, segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        image = db_session.get_one(Image, 1)
        image.width = image.content_hash = None
        image.failure = "image_0.png is empty (0 bytes)"
    response = seg.get("/api/images/1/file")
    assert (response.status_code, response.json()["error"]) == (409, "ConflictError")
    assert "0 bytes" in response.json()["detail"]


def test_get_next_image__what_the_model_picks_never_becomes_a_validation_image(
    cla: TestClient, classification_session: Any
) -> None:
    for image_id in (2, 4):
        classification_session.add_prediction(image_id)
    assert cla.get("/api/images/next?strategy=sequential").json()["id"] == 1
    found = cla.get("/api/images/next?strategy=least_confident").json()["id"]
    with classification_session.database.read() as db_session:
        assert [image.id for image in db_session.scalars(select(Image).where(Image.picked_by_model))] == [found]
