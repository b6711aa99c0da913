"""Foreign hosts, foreign pages, forms and floods do not get in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "127.1.2.3:5", "[::1]:8000", "app.localhost", "LOCALHOST"]
)
def test_guard__loopback_hosts_pass(seg: TestClient, host: str) -> None:
    assert seg.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "localhost.evil.example"]
)
def test_guard__other_hosts_do_not(seg: TestClient, host: str) -> None:
    response = seg.get("/api/health", headers={"host": host})
    assert (response.status_code, response.json()["error"]) == (421, "UnknownHostError")


def test_guard__an_allowed_host_passes(segmentation_session: Any, serve: Callable[..., TestClient]) -> None:
    client = serve(segmentation_session, allowed_hosts=("labels.example",))
    headers = {"host": "labels.example:80", "origin": "http://labels.example"}
    assert client.get("/api/health", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example"])
def test_guard__a_foreign_page_may_not_write(seg: TestClient, origin: str) -> None:
    response = seg.post("/api/training/stop", headers={"origin": origin})
    assert (response.status_code, response.json()["error"]) == (403, "ForeignOriginError")


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://localhost:5173"])
def test_guard__our_page_may(seg: TestClient, origin: str) -> None:
    assert seg.post("/api/training/stop", headers={"origin": origin}).status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_guard__a_form_cannot_write(seg: TestClient, content_type: str) -> None:
    response = seg.put("/api/images/1/annotations", content=b'{"points": []}', headers={"content-type": content_type})
    assert (response.status_code, response.json()["error"]) == (415, "ContentTypeError")


def test_guard__too_large_a_body(segmentation_session: Any, serve: Callable[..., TestClient]) -> None:
    client = serve(segmentation_session, max_body_bytes=2000)

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 100

    headers = {"content-type": "application/json"}
    for content in (b" " * 3000, pieces()):
        response = client.put("/api/images/1/annotations", content=content, headers=headers)
        assert (response.status_code, response.json()["error"]) == (413, "BodyTooLargeError")


def test_guard__what_is_refused_as_too_large_has_done_nothing(
    segmentation_session: Any, serve: Callable[..., TestClient]
) -> None:
    client = serve(segmentation_session, max_body_bytes=2000)

    def pieces() -> Iterator[bytes]:
        yield b'{"points": [{"x": 3, "y": 3, "class_id": 1}]}'
        for _ in range(30):
            yield b" " * 100

    path = "/api/images/1/annotations"
    response = client.put(path, content=pieces(), headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]) == (413, "BodyTooLargeError")
    assert client.get(path).json()["revision"] == 0


@pytest.mark.parametrize("path", ["health", "images/1/file", "images/1/thumbnail", "images"])
def test_guard__head_answers_as_get_without_the_body(seg: TestClient, path: str) -> None:
    head, get = seg.head(f"/api/{path}"), seg.get(f"/api/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == get.headers
