"""No input makes the server fail: every answer is below 500 and of the one shape."""

from __future__ import annotations

import base64

import pytest
from starlette.testclient import TestClient

JSON = {"content-type": "application/json"}
NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\ud800"}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "' + b"x" * 300 + b'"}',
        b'{"name": "\xff"}',
        b'{"\\ud800": 1}',
        b'{"name": 1e999}',
        NESTED,
        b'{"name": ' + NESTED,
        b"null",
        b"[]",
        b"1",
        b"\xff\xfe",
    ],
)
def test_post_classes(seg: TestClient, body: bytes) -> None:
    response = seg.post("/api/classes", content=body, headers=JSON)
    assert 400 <= response.status_code < 500
    assert set(response.json()) == {"error", "detail"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"points": [{"x": ' + b"9" * 400 + b', "y": 1, "class_id": 1}]}',
        b'{"points": [{"x": 1, "y": 1, "class_id": ' + b"9" * 5000 + b"}]}",
        b'{"points": [{"x": "\\ud800", "y": 1, "class_id": 1}]}',
        b'{"points": [null]}',
        b'{"points": [{"x": true, "y": 1, "class_id": 1.5}]}',
        b'{"revision": 9223372036854775808, "points": []}',
        b'{"points": ' + NESTED,
    ],
)
def test_put_annotations(seg: TestClient, body: bytes) -> None:
    response = seg.put("/api/images/1/annotations", content=body, headers=JSON)
    assert 400 <= response.status_code < 500
    assert set(response.json()) == {"error", "detail"}


@pytest.mark.parametrize(
    "query",
    [
        "cursor=" + base64.urlsafe_b64encode(b"[" * 1400).decode(),
        "cursor=" + base64.urlsafe_b64encode(b'["id", null, 1e400]').decode(),
        "cursor=" + base64.urlsafe_b64encode(b'["uncertainty", 1e400, 1]').decode() + "&sort=uncertainty",
        "cursor=" + base64.urlsafe_b64encode(b'["path", "\\ud800", 1]').decode() + "&sort=path",
        "cursor=%C3%A9",
        "cursor=%00",
        "limit=1e3",
        "class_id=9223372036854775808",
        "status=done",
    ],
)
def test_list_images(seg: TestClient, query: str) -> None:
    response = seg.get(f"/api/images?{query}")
    assert 200 <= response.status_code < 500


@pytest.mark.parametrize("q", ["%00", "%ED%A0%80", "%FF", "%25_%5C", "1" * 200, "%D9%A3"])
def test_list_images__any_search(seg: TestClient, q: str) -> None:
    assert seg.get(f"/api/images?q={q}").status_code == 200


@pytest.mark.parametrize("path", ["/%00", "/..%2f..%2fetc/passwd", "/api/%00", "/api/images/1%00", "/%ED%A0%80"])
def test_paths(seg: TestClient, path: str) -> None:
    assert 400 <= seg.get(path).status_code < 500


def test_events__a_strange_last_event_id_is_no_error(seg: TestClient) -> None:
    assert seg.get("/api/events?after=-1").status_code == 422
