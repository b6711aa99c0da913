"""Every error has one shape, one clear line, and no path of this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from backend.services.event_stream import _encode
from db.enums import JobKind, RunState
from db.queries.jobs import fail_job, request_job
from db.tables.images import Image
from db.tables.learning import Run
from db.tables.processes import Event

PUT = "/api/images/1/annotations"


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/api/nothing", 404, "NotFoundError"),
        ("GET", "/api/images/77", 404, "NotFoundError"),
        ("GET", "/api/images/77/annotations", 404, "NotFoundError"),
        ("GET", "/api/images/77/prediction", 404, "NotFoundError"),
        ("GET", "/api/images/1/prediction", 404, "NotFoundError"),
        ("GET", "/api/images/1/prediction/map", 404, "NotFoundError"),
        ("GET", "/api/images/77/file", 404, "NotFoundError"),
        ("GET", "/api/checkpoints/1", 404, "NotFoundError"),
        ("POST", "/api/checkpoints/1/activate", 404, "NotFoundError"),
        ("DELETE", "/api/classes/77", 404, "NotFoundError"),
        ("POST", "/api/images/1/annotations/undo", 409, "ConflictError"),
        ("POST", "/api/training/start", 409, "ConflictError"),
        ("PATCH", "/api/health", 405, "MethodNotAllowedError"),
        ("GET", "/api/images/abc", 422, "RequestValidationError"),
        ("GET", "/api/images/0", 422, "RequestValidationError"),
        ("GET", f"/api/images/{2**63}", 422, "RequestValidationError"),
        ("GET", "/api/images?limit=0", 422, "RequestValidationError"),
        ("GET", "/api/images?cursor=x", 400, "InvalidInputError"),
        ("GET", "/api/images/next?strategy=best", 422, "RequestValidationError"),
        ("GET", "/api/export?format=xml", 422, "RequestValidationError"),
    ],
)
def test_errors__shape(seg: TestClient, method: str, path: str, status: int, error: str) -> None:
    response = seg.request(method, path)
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error)
    assert body["detail"]
    assert "\n" not in body["detail"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"points": [{"x": NaN, "y": 1, "class_id": 1}]}', "points.0.x"),
        ('{"points": [{"x": 1e999, "y": 1, "class_id": 1}]}', "points.0.x"),
        ('{"points": [{"x": -1, "y": 1, "class_id": 1}]}', "points.0.x: input should be greater than or equal to 0, "
         "found -1"),
        ('{"points": [{"x": 1, "y": 1}]}', "points.0.class_id is missing"),
        ('{"points": [{"x": 1, "y": 1, "class_id": 9223372036854775808}]}', "points.0.class_id"),
        ('{"points": [{"x": true, "y": 1, "class_id": 1}]}', "points.0.x: input should be a valid number, found True"),
        ('{"points": [{"x": 1, "y": "1", "class_id": 1}]}', "points.0.y: input should be a valid number, found '1'"),
        ('{"points": [{"x": 1, "y": 1, "class_id": true}]}', "points.0.class_id: input should be a valid integer"),
        ('{"points": [{"x": 1, "y": 1, "class_id": "1"}]}', "points.0.class_id: input should be a valid integer"),
        ('{"points": [], "revision": true}', "revision: input should be a valid integer"),
        ('{"points": "many"}', "points"),
        ('{"class_id": 1, "points": []}', "either points"),
        ("{}", "either points"),
        ('{"revision": -1, "points": []}', "revision"),
        ('{"points": [], "origin": "human"}', "origin is not known here"),
        ('{"points": [', "the body is no JSON"),
        ("", "missing"),
    ],
)  # fmt: skip
def test_errors__validation_names_field_and_expectation(seg: TestClient, body: str, message: str) -> None:
    response = seg.put(PUT, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert set(response.json()) == {"error", "detail"}
    assert message in response.json()["detail"]


def test_errors__too_many_points(seg: TestClient) -> None:
    points = [{"x": 1, "y": 1, "class_id": 1}] * 100_001
    response = seg.put(PUT, json={"points": points})
    assert response.status_code == 422
    assert "100000" in response.json()["detail"]


def test_errors__a_payload_of_the_other_task(seg: TestClient) -> None:
    response = seg.put(PUT, json={"class_id": 1})
    assert response.status_code == 400
    assert "this is a segmentation session" in response.json()["detail"]


def test_errors__no_path_of_this_machine(seg: TestClient, segmentation_session: Any) -> None:
    (segmentation_session.image_root / "image_0.png").unlink()
    (segmentation_session.image_root / "image_1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    for image_id in (1, 2):
        for path in ("file", "file?max_side=20", "thumbnail"):
            response = seg.get(f"/api/images/{image_id}/{path}")
            assert response.status_code in (404, 422)
            assert str(segmentation_session.folder.parent) not in response.text


def test_errors__no_path_of_this_machine_in_what_jobs_and_images_failed_of(
    seg: TestClient, segmentation_session: Any
) -> None:
    reason = "/home/me/session/features/ab/abc.npy is damaged"
    with segmentation_session.database.write() as db_session:
        image = db_session.get_one(Image, 1)
        image.width, image.failure = None, reason
        run = Run(state=RunState.FAILED, message=reason)
        db_session.add(run)
        fail_job(db_session, request_job(db_session, JobKind.TRAIN), reason)
        db_session.flush()
        (event,) = db_session.scalars(select(Event)).all()
    assert json.loads(str(_encode(event).data))["error"] == "abc.npy is damaged"
    for response in (
        seg.get("/api/images"),
        seg.get("/api/images/1"),
        seg.get("/api/images/1/file"),
        seg.get("/api/training"),
        seg.put(PUT, json={"points": []}),
    ):
        assert "abc.npy is damaged" in response.text
        assert "/home" not in response.text


def test_errors__a_body_in_another_encoding(seg: TestClient) -> None:
    response = seg.put(PUT, content=b"\xff\xfe\x00", headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert "JSON" in response.json()["detail"]
