"""The built page at /."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from backend.page import Page


def test_page__tells_what_to_run_until_it_is_built(seg: TestClient, tmp_path: Path) -> None:
    response = seg.get("/")
    assert response.status_code == 503
    assert "npm run build" in response.text
    assert seg.get("/assets/x.js").status_code == 404
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<p>page")
    (tmp_path / "dist" / "assets" / "x.js").write_text("1")
    assert seg.get("/").text == "<p>page"
    assert seg.get("/assets/x.js").status_code == 200
    assert seg.get("/../conftest.py").status_code == 404


def test_page__works_below_a_prefix(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page")
    with TestClient(Starlette(routes=[Mount("/s/a", Page(tmp_path))])) as client:
        assert client.get("/s/a/").text == "<p>page"
