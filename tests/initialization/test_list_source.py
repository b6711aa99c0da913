"""JSON lists: names, order, metadata, and addresses that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from initialization.errors import SourceError
from initialization.list_source import ListSource, file_name
from initialization.web_files import Limits
from tests.initialization.fakes import save_picture, write_json
from tests.initialization.web_server import WebServer

QUICK = Limits(first_wait_s=0.0)


def test_list__downloads_in_order_with_metadata(tmp_path: Path, web_server: WebServer) -> None:
    picture = save_picture(tmp_path / "z ä.png")
    web_server.files["/z ä.png"] = picture.read_bytes()
    entries = [
        {"url": web_server.url("/z ä.png"), "site": "north"},
        {"url": "z ä.png"},
        {"url": picture.as_uri()},
        {"url": web_server.url("/missing.png")},
        {"url": web_server.url("/status/503")},
        {"url": "ftp://example.org/a.png"},
        {"url": web_server.url("/z ä.png")},
        {"name": "no url"},
        7,
    ]
    source = ListSource(write_json(tmp_path / "list.json", entries), limits=QUICK)
    plan = source.plan(tmp_path / "s")
    assert len(plan.images) == 5
    assert plan.images[0].extra == entries[0]
    assert [refusal.path for refusal in plan.refusals] == ["entry 6", "entry 7", "entry 8", "entry 9"]
    assert "has the scheme ftp, expected http, https, file or a path" in plan.refusals[0].reason
    reasons = {r.path: r.reason for r in source.fetch(plan.images, tmp_path / "s", lambda: None)}
    assert list(reasons) == [image.path for image in plan.images[3:]]
    for reason, part in zip(reasons.values(), ("404", "503"), strict=True):
        assert part in reason
    for image in plan.images[:3]:
        assert (tmp_path / "s/images" / image.path).read_bytes() == picture.read_bytes()


def test_list__what_is_there_is_not_fetched_again(tmp_path: Path, web_server: WebServer) -> None:
    web_server.files["/a.png"] = b"picture"
    source = ListSource(write_json(tmp_path / "list.json", [web_server.url("/a.png")]), limits=QUICK)
    images = source.plan(tmp_path / "s").images
    for _ in range(2):
        assert source.fetch(images, tmp_path / "s", lambda: None) == []
        leftover = tmp_path / "s/images/.b.png.x1.tmp"
        leftover.write_bytes(b"of a fetch that was killed")
    source.fetch(images, tmp_path / "s", lambda: None)
    assert not leftover.exists()
    assert web_server.requests == ["/a.png"]


@pytest.mark.parametrize("url", ["../secret.png", "a/../../secret.png", "{folder}/secret.png", "link.png", "x\0.png"])
def test_list__path_that_leaves_the_folder_is_refused(tmp_path: Path, url: str) -> None:
    secret = save_picture(tmp_path / "secret.png")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/link.png").symlink_to(secret)
    source = ListSource(write_json(tmp_path / "lists/list.json", [url.format(folder=tmp_path)]))
    plan = source.plan(tmp_path / "s")
    assert plan.images == ()
    assert "leaves the folder" in plan.refusals[0].reason or "cannot be read" in plan.refusals[0].reason


def test_list__name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    source = ListSource(write_json(tmp_path / "list.json", ["x" * 300 + ".png"]))
    plan = source.plan(tmp_path)
    reasons = [refusal.reason for refusal in (*plan.refusals, *source.fetch(plan.images, tmp_path / "s", lambda: None))]
    assert len(reasons) == 1
    assert "File name too long" in reasons[0]


def test_list__too_large_file_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    source = ListSource(write_json(tmp_path / "list.json", ["a.png"]), limits=Limits(max_bytes=100))
    (refusal,) = source.fetch(source.plan(tmp_path).images, tmp_path / "s", lambda: None)
    assert "more than" in refusal.reason
    assert list((tmp_path / "s/images").iterdir()) == []


def test_file_name__safe_and_different_for_different_addresses() -> None:
    names = [
        file_name(url) for url in ("http://a/b/c.PNG", "http://a/d/c.PNG", "http://a/?id=3", "x/../../../etc/p w.jpg")
    ]
    assert len(set(names)) == 4
    assert all("/" not in name and ".." not in name and " " not in name for name in names)
    assert [Path(name).suffix for name in names] == [".png", ".png", "", ".jpg"]


@pytest.mark.parametrize(("text", "part"), [("{", "not valid JSON"), ('{"url": "x"}', "expected a list")])
def test_list__wrong_file(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(SourceError, match=part):
        ListSource(tmp_path / "list.json").plan(tmp_path)
