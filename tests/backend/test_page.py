"""The built page at /."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from backend.page import Page
from backend.schemas.session import SessionLink
from db.tasks import Task


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


def test_page__what_is_not_there_leads_a_person_to_the_sessions(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page")
    sessions = [SessionLink(name="cells & more", task=Task.SEGMENTATION, url="/s/cells/", current=True)]
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with TestClient(Starlette(routes=[Mount("/", Page(tmp_path, sessions))])) as client:
        response = client.get("/s/<xyz>/", headers=browser)
        assert response.status_code == 404
        assert '<a href="/s/cells/">cells &amp; more<span>Segmentation</span></a>' in response.text
        assert "<code>/s/&lt;xyz&gt;/</code>" in response.text
        assert client.get("/", headers=browser).text == "<p>page"
        for path in ("/../../etc/passwd", "/%00", "/" + "x" * 5000):
            assert client.get(path, headers=browser).status_code == 404
        for path in ("/api/nothing", "/s/xyz/api/config"):
            assert "<h1>" not in client.get(path, headers={"accept": "application/json"}).text


def test_page__a_program_gets_json(seg: TestClient) -> None:
    assert seg.get("/s/xyz/").json()["error"] == "NotFoundError"
    assert '<a href="/">' in seg.get("/s/xyz/", headers={"accept": "text/html"}).text
    assert seg.get("/api/nothing", headers={"accept": "text/html"}).json()["error"] == "NotFoundError"


def test_page__the_address_of_a_task_leads_to_the_page_or_says_which_task_it_is(seg: TestClient) -> None:
    own = seg.get("/segmentation", follow_redirects=False)
    assert (own.status_code, own.headers["location"]) == (307, "/")
    other = seg.get("/multilabel/", headers={"accept": "text/html"})
    assert other.status_code == 409
    assert "This session is for segmentation, not multi-label" in other.text
    assert 'href="/"' in other.text
    assert seg.get("/classification").json()["error"] == "ConflictError"
    assert seg.get("/detection", headers={"accept": "text/html"}).status_code == 404
