"""Predictions, maps, and annotations made of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select
from starlette.testclient import TestClient

from db.enums import JobKind
from db.tables.processes import Job
from db.tables.session import SessionInfo

PREDICTION = "/api/images/1/prediction"


def decode(content: bytes) -> np.ndarray:
    picture = PillowImage.open(io.BytesIO(content))
    assert picture.mode == "L"
    return np.asarray(picture)


def test_get_prediction__classification(cla: TestClient, classification_session: Any) -> None:
    classification_session.add_prediction(1, probabilities=[0.2, 0.7, 0.1])
    prediction = cla.get(PREDICTION).json()
    assert [p["class_id"] for p in prediction["probabilities"]] == [2, 1, 3]
    assert (prediction["version"], prediction["annotation_revision"], prediction["stale"]) == (1, 0, False)
    assert prediction["map"] is None
    cla.delete("/api/classes/2")
    assert [p["class_id"] for p in cla.get(PREDICTION).json()["probabilities"]] == [1, 3]


def test_get_prediction__segmentation(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    found = seg.get(PREDICTION).json()["map"]
    assert found == {"url": "/api/images/1/prediction/map", "width": 8, "height": 6, "class_ids": [1, 2]}
    assert decode(seg.get(found["url"]).content).shape == (6, 8)


def test_get_prediction__asks_for_a_stale_or_missing_one_once(seg: TestClient, segmentation_session: Any) -> None:
    seg.get(PREDICTION)
    with segmentation_session.database.read() as db_session:
        assert db_session.scalars(select(Job)).all() == [], "nothing can predict before there is a head"
    segmentation_session.add_prediction(1, version=1)
    with segmentation_session.database.write() as db_session:
        db_session.get_one(SessionInfo, 1).head_version = 2
    for _ in range(2):
        assert seg.get(PREDICTION).json()["stale"]
        assert seg.get("/api/images/2/prediction").status_code == 404
    with segmentation_session.database.read() as db_session:
        jobs = [(job.kind, job.image_id) for job in db_session.scalars(select(Job).order_by(Job.image_id))]
    assert jobs == [(JobKind.PREDICT, 1), (JobKind.PREDICT, 2)]


def test_get_prediction__none_is_no_error_where_that_is_said(seg: TestClient, segmentation_session: Any) -> None:
    assert seg.get(PREDICTION).status_code == 404
    answer = seg.get(PREDICTION, params={"if_any": True})
    assert (answer.status_code, answer.content) == (204, b"")
    with segmentation_session.database.write() as db_session:
        db_session.get_one(SessionInfo, 1).head_version = 2
    assert seg.get("/api/images/2/prediction", params={"if_any": True}).status_code == 204
    with segmentation_session.database.read() as db_session:
        assert [job.image_id for job in db_session.scalars(select(Job))] == [2], "it is asked for all the same"
    assert seg.get("/api/images/99/prediction", params={"if_any": True}).status_code == 404
    segmentation_session.add_prediction(1)
    assert seg.get(PREDICTION, params={"if_any": True}).json()["version"] == 1


def test_get_prediction_map__values(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    first, second = (decode(seg.get(f"{PREDICTION}/map?class_id={c}").content) for c in (1, 2))
    assert (first[:, :4] == 255).all()
    assert (first[:, 4:] == 0).all()
    np.testing.assert_allclose(first.astype(int) + second, 255, atol=1)
    np.testing.assert_array_equal(decode(seg.get(f"{PREDICTION}/map").content), first)


def test_get_prediction_overlay__classes_in_their_colours(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    first, second = (bytes.fromhex(c["color"][1:]) for c in seg.get("/api/config").json()["classes"])
    response = seg.get(f"{PREDICTION}/overlay?version=1")
    painted = np.asarray(PillowImage.open(io.BytesIO(response.content)))
    assert painted.shape == (6, 8, 4)
    assert (painted[:, :4, :3] == list(first)).all()
    assert (painted[:, 4:, :3] == list(second)).all()
    assert (painted[..., 3] > 100).all()
    again = seg.get(f"{PREDICTION}/overlay", headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304
    seg.delete("/api/classes/2")
    repainted = seg.get(f"{PREDICTION}/overlay", headers={"If-None-Match": response.headers["etag"]})
    assert (np.asarray(PillowImage.open(io.BytesIO(repainted.content)))[:, 4:, 3] == 0).all()


def test_get_prediction_overlay__before_there_is_a_prediction(seg: TestClient) -> None:
    assert seg.get(f"{PREDICTION}/overlay").status_code == 404


def test_get_prediction_overlay__of_a_whole_image(cla: TestClient, classification_session: Any) -> None:
    classification_session.add_prediction(1, probabilities=[0.2, 0.7, 0.1])
    assert cla.get(f"{PREDICTION}/overlay").status_code == 400


def test_get_prediction_map__full_size(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    response = seg.get(f"{PREDICTION}/map?class_id=1&size=image")
    full = decode(response.content)
    assert full.shape == (48, 64)
    assert full[:, :24].mean() > 200 > 55 > full[:, 40:].mean()
    assert seg.get(f"{PREDICTION}/map?class_id=1&size=image").content == response.content


def test_get_prediction_map__of_a_class_without_labels_is_empty(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    class_id = seg.post("/api/classes", json={"name": "new"}).json()["id"]
    for size in ("grid", "image"):
        assert not decode(seg.get(f"{PREDICTION}/map?class_id={class_id}&size={size}").content).any()
    assert seg.get(f"{PREDICTION}/map?class_id=99").status_code == 404


def test_get_prediction_map__classification_has_none(cla: TestClient) -> None:
    response = cla.get(f"{PREDICTION}/map")
    assert response.status_code == 400


def test_extract_points__human_points_stay_and_extracted_ones_are_replaced(
    seg: TestClient, segmentation_session: Any
) -> None:
    seg.patch("/api/config", json={"max_points": 20, "min_distance": 4})
    human = [{"x": 60.5, "y": 10.5, "class_id": 1}]
    seg.put("/api/images/1/annotations", json={"points": human})
    segmentation_session.add_prediction(1)
    first = seg.post("/api/images/1/extract-points").json()
    assert [p["origin"] for p in first["points"]].count("human") == 1
    extracted = [p for p in first["points"] if p["origin"] == "extracted"]
    assert len(extracted) == 20
    for point in extracted:
        assert (point["class_id"] == 1) == (point["x"] < 32)
        assert np.hypot(point["x"] - 60.5, point["y"] - 10.5) >= 4
    second = seg.post("/api/images/1/extract-points", json={"revision": first["revision"]}).json()
    key = [(p["x"], p["y"], p["class_id"], p["origin"]) for p in first["points"]]
    assert sorted(key) == sorted((p["x"], p["y"], p["class_id"], p["origin"]) for p in second["points"])
    assert second["revision"] == first["revision"], "the same points again are no change"
    assert seg.post("/api/images/1/extract-points", json={"revision": 0}).status_code == 409


def test_extract_points__none_in_regions_and_one_a_cell(seg: TestClient, segmentation_session: Any) -> None:
    image = seg.get("/api/images/1").json()
    box = {"x0": 0, "y0": 0, "x1": image["width"] // 2, "y1": image["height"] // 2}
    erased = {**box, "x1": 10, "y1": 10}
    regions = [
        {"kind": "box", "class_id": 2, "geometry": box},
        {"kind": "box", "class_id": None, "geometry": erased},
    ]
    seg.post("/api/images/1/regions", json={"add": regions})
    segmentation_session.add_prediction(1)
    points = seg.post("/api/images/1/extract-points").json()["points"]
    assert len(points) > 4
    for point in points:
        is_in_box = point["x"] < box["x1"] and point["y"] < box["y1"]
        assert not is_in_box or (point["x"] < 10 and point["y"] < 10)
    xy = np.array([(point["x"], point["y"]) for point in points])
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + 1e6 * np.eye(len(xy))
    assert apart.min() >= min(image["width"] / 8, image["height"] / 6)


def test_extract_points__without_prediction(seg: TestClient) -> None:
    assert seg.post("/api/images/1/extract-points").status_code == 404


def test_extract_points__classification(cla: TestClient, classification_session: Any) -> None:
    classification_session.add_prediction(1)
    assert cla.post("/api/images/1/extract-points").status_code == 400


def test_accept_prediction__classification(cla: TestClient, classification_session: Any) -> None:
    classification_session.add_prediction(1, version=3, probabilities=[0.1, 0.2, 0.7])
    response = cla.post("/api/images/1/accept-prediction", json={"version": 2})
    assert response.status_code == 409
    assert "at version 3, the request accepts 2" in response.json()["detail"]
    state = cla.post("/api/images/1/accept-prediction", json={"version": 3}).json()
    assert state["label"] == {"class_id": 3, "origin": "accepted"}


def test_accept_prediction__segmentation(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    state = seg.post("/api/images/1/accept-prediction", json={"into": "points"}).json()
    assert {p["origin"] for p in state["points"]} == {"accepted"}
    assert state["regions"] == []


def test_accept_prediction__every_predicted_class_however_unsure(seg: TestClient, segmentation_session: Any) -> None:
    unsure = np.zeros((2, 6, 8))
    unsure[0, :, :4] = unsure[1, :, 4:] = 0.1  # 52 % at most: far from what extraction wants
    segmentation_session.add_prediction(1, logits=unsure)
    assert seg.post("/api/images/1/extract-points").json()["points"] == []
    points = seg.post("/api/images/1/accept-prediction", json={"into": "points"}).json()["points"]
    width = seg.get("/api/images/1").json()["width"]
    assert {p["class_id"] for p in points} == {1, 2}
    assert all((p["x"] < width / 2) == (p["class_id"] == 1) for p in points)


@pytest.mark.parametrize("path", ["extract-points", "accept-prediction"])
def test_proposals__of_a_head_with_one_class_conflict(seg: TestClient, segmentation_session: Any, path: str) -> None:
    one = type(segmentation_session)(**{**vars(segmentation_session), "class_ids": (1,)})
    one.add_prediction(1, logits=np.zeros((1, 6, 8)))
    response = seg.post(f"/api/images/1/{path}")
    assert response.status_code == 409
    assert "knows one class only" in response.json()["detail"]


@pytest.mark.parametrize("damage", [None, b"", b"\x93NUMPY\x01"])
def test_prediction__a_lost_map_is_asked_for_again(
    seg: TestClient, segmentation_session: Any, damage: bytes | None
) -> None:
    segmentation_session.add_prediction(1)
    (path,) = (segmentation_session.folder / "predictions").rglob("*.npy")
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    for response in (
        seg.get(f"{PREDICTION}/map"),
        seg.get(f"{PREDICTION}/map?size=image"),
        seg.post("/api/images/1/extract-points"),
        seg.post("/api/images/1/accept-prediction"),
    ):
        assert (response.status_code, response.json()["error"]) == (404, "NotFoundError")
        assert "missing or damaged" in response.json()["detail"]
    with segmentation_session.database.read() as db_session:
        assert [(job.kind, job.image_id) for job in db_session.scalars(select(Job))] == [(JobKind.PREDICT, 1)]
