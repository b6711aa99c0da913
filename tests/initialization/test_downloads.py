"""Downloads from a real server: retries, politeness, limits, and redirects that must not reach a private network."""

from __future__ import annotations

import email.utils
import http.server
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initialization import web_addresses
from initialization.downloads import Download, download_all
from initialization.sources import Refusal
from initialization.web_addresses import addresses_of, is_forbidden, is_private, is_private_name
from initialization.web_files import Limits
from tests.initialization.web_server import WebServer, redirect, send

QUICK = Limits(first_wait_s=0.0, timeout_s=5.0)
PICTURE = bytes(range(256)) * 40
PRIVATE = ipaddress.ip_address("127.0.0.2")


def fetch(folder: Path, *urls: str, limits: Limits = QUICK) -> list[Refusal]:
    """Each address into a file called by its last part."""
    return download_all([Download(url, url, folder / url.rsplit("/", 1)[-1]) for url in urls], lambda: None, limits)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_download__is_tried_again_after_a_passing_error(tmp_path: Path, web_server: WebServer, code: int) -> None:
    web_server.answers["/a"] = lambda handler, count: send(handler, PICTURE, status=200 if count == 2 else code)
    assert fetch(tmp_path, web_server.url("/a")) == []
    assert (tmp_path / "a").read_bytes() == PICTURE
    assert len(web_server.requests) == 3


@pytest.mark.parametrize(("code", "tries"), [(404, 1), (403, 1), (410, 1), (500, 4), (503, 4)])
def test_download__gives_up(tmp_path: Path, web_server: WebServer, code: int, tries: int) -> None:
    (refusal,) = fetch(tmp_path, web_server.url(f"/status/{code}"))
    assert f"answered {code}" in refusal.reason
    assert len(web_server.requests) == tries
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_date", [False, True])
def test_download__waits_as_long_as_the_server_asks(tmp_path: Path, web_server: WebServer, as_date: bool) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler, count: int) -> None:
        after = email.utils.formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        send(handler, PICTURE, **({"Retry_After": after, "status": 429} if count == 0 else {}))  # type: ignore[arg-type]

    web_server.answers["/a"] = answer
    web_server.files["/b"] = PICTURE
    one_at_a_time = Limits(first_wait_s=0.0, per_host=1)
    assert fetch(tmp_path, web_server.url("/a"), web_server.url("/b"), limits=one_at_a_time) == []
    assert min(web_server.times[1:]) - web_server.times[0] > 0.9, "the whole host is left in peace"


def test_download__longer_pause_than_allowed_is_for_the_next_run(tmp_path: Path, web_server: WebServer) -> None:
    web_server.answers["/a"] = lambda handler, _: send(handler, b"", status=503, Retry_After="3600")
    (refusal,) = fetch(tmp_path, web_server.url("/a"))
    assert "503" in refusal.reason
    assert len(web_server.requests) == 1


def test_download__few_at_a_time_from_one_host_many_from_several(tmp_path: Path) -> None:
    def slow(handler: http.server.BaseHTTPRequestHandler, _count: int) -> None:
        time.sleep(0.03)
        send(handler, PICTURE)

    with WebServer().running() as first, WebServer("127.0.0.2").running() as second:
        urls = []
        for number in range(12):
            for server in (first, second):
                server.answers[f"/{number}"] = slow
                urls.append(server.url(f"/{number}"))
        downloads = [Download(url, url, tmp_path / str(index)) for index, url in enumerate(urls)]
        advanced: list[None] = []
        limits = Limits(threads=5, per_host=3)
        assert download_all(downloads, lambda: advanced.append(None), limits) == []
        assert len(advanced) == 24
        for server in (first, second):
            assert sorted(server.requests, key=lambda path: int(path[1:])) == [f"/{number}" for number in range(12)]
            assert 1 < server.most_at_once <= 3


def test_download__refusals_keep_the_order(tmp_path: Path, web_server: WebServer) -> None:
    web_server.files["/good"] = PICTURE
    urls = [web_server.url(path) for path in ("/status/503", "/x", "/good", "/y")]
    assert [refusal.path for refusal in fetch(tmp_path, *urls)] == [urls[0], urls[1], urls[3]]


def test_download__cut_short_is_tried_again_and_never_kept(tmp_path: Path, web_server: WebServer) -> None:
    def cut(handler: http.server.BaseHTTPRequestHandler, _count: int) -> None:
        send(handler, PICTURE[:60], Content_Length=str(len(PICTURE)))

    def cut_once(handler: http.server.BaseHTTPRequestHandler, count: int) -> None:
        (cut if count == 0 else lambda h, _: send(h, PICTURE))(handler, count)

    web_server.answers = {"/always": cut, "/once": cut_once}
    (refusal,) = fetch(tmp_path, web_server.url("/always"), web_server.url("/once"))
    assert f"{len(PICTURE) - 60} of the announced bytes are missing" in refusal.reason
    assert [path.name for path in tmp_path.iterdir()] == ["once"]
    assert (tmp_path / "once").read_bytes() == PICTURE


def test_download__nobody_there(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        (refusal,) = fetch(tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}/a")
    assert "cannot be reached" in refusal.reason


def test_download__silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        (refusal,) = fetch(tmp_path, address, limits=Limits(tries=1, timeout_s=0.1))
    assert "cannot be reached: timed out" in refusal.reason


def test_download__trickling_server_is_given_up(tmp_path: Path, web_server: WebServer) -> None:
    def trickle(handler: http.server.BaseHTTPRequestHandler, _count: int) -> None:
        send(handler, b"", Content_Length="1000")
        for _ in range(1000):
            handler.wfile.write(b"x")
            time.sleep(0.02)

    web_server.answers["/a"] = trickle
    (refusal,) = fetch(tmp_path, web_server.url("/a"), limits=Limits(deadline_s=0.1))
    assert "too slow" in refusal.reason
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("announced", [True, False])
def test_download__too_large_is_refused(tmp_path: Path, web_server: WebServer, announced: bool) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler, _count: int) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(len(PICTURE)))
        handler.end_headers()
        handler.wfile.write(PICTURE)

    web_server.answers["/a"] = answer
    (refusal,) = fetch(tmp_path, web_server.url("/a"), limits=Limits(max_bytes=1000))
    assert "more than 0 MB" in refusal.reason
    assert list(tmp_path.iterdir()) == []


def test_download__web_page_is_no_image(tmp_path: Path, web_server: WebServer) -> None:
    web_server.answers["/a"] = lambda handler, _: send(handler, b"<p>Log in", Content_Type="text/html; charset=utf-8")
    (refusal,) = fetch(tmp_path, web_server.url("/a"))
    assert "answered with a web page (text/html), expected an image" in refusal.reason


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.fixture
def only_2_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 stands for the public internet, 127.0.0.2 for a private network."""
    monkeypatch.setattr(web_addresses, "is_private", lambda address: ipaddress.ip_address(address) == PRIVATE)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect__is_followed(tmp_path: Path, web_server: WebServer, code: int) -> None:
    web_server.answers["/a"] = redirect("/b c", code)
    web_server.files["/b c"] = PICTURE
    assert fetch(tmp_path, web_server.url("/a")) == []
    assert (tmp_path / "a").read_bytes() == PICTURE


@pytest.mark.usefixtures("only_2_is_private")
def test_redirect__into_a_private_network_is_refused(tmp_path: Path, web_server: WebServer) -> None:
    with WebServer("127.0.0.2").running() as private:
        private.files["/secret"] = PICTURE
        web_server.answers["/a"] = redirect(private.url("/secret"))
        web_server.answers["/hop"] = redirect(web_server.url("/a"))
        for path in ("/a", "/hop"):
            (refusal,) = fetch(tmp_path, web_server.url(path))
            assert "redirects to 127.0.0.2, an address of a private network" in refusal.reason
        assert private.requests == []


@pytest.mark.usefixtures("only_2_is_private")
def test_redirect__within_a_private_network_is_followed(tmp_path: Path) -> None:
    with WebServer("127.0.0.2").running() as private:
        private.files["/secret"] = PICTURE
        private.answers["/a"] = redirect(private.url("/secret"))
        assert fetch(tmp_path, private.url("/a")) == []


@pytest.mark.usefixtures("only_2_is_private")
def test_redirect__name_that_changes_its_address_is_refused(
    tmp_path: Path,
    web_server: WebServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name leads to a public address when it is looked up first, and to a private one when it is used."""
    with WebServer("127.0.0.2").running() as private:
        private.files["/secret"] = PICTURE
        web_server.answers["/a"] = redirect(private.url("/secret").replace("127.0.0.2", "pictures.example"))
        answers = iter(["127.0.0.1"])
        resolve(monkeypatch, {"pictures.example": lambda: [next(answers, "127.0.0.2")]})
        (refusal,) = fetch(tmp_path, web_server.url("/a"))
        assert "redirects to pictures.example, an address of a private network (127.0.0.2)" in refusal.reason
        assert private.requests == []


# --- listed hosts -----------------------------------------------------------------------------------------------------


def resolve(monkeypatch: pytest.MonkeyPatch, names: dict[str, Callable[[], list[str]]]) -> None:
    """What a name server would answer, which no test can ask; the rest is the system's."""
    real = socket.getaddrinfo

    def answer(host: str, *arguments: Any, **named: Any) -> Any:
        if host not in names:
            return real(host, *arguments, **named)
        return [entry for address in names[host]() for entry in real(address, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]"]
)
def test_listed__metadata_address_is_forbidden(host: str) -> None:
    assert is_forbidden(host.strip("[]"))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2606:4700::1111"])
def test_listed__other_addresses_are_not_forbidden(address: str) -> None:
    assert not is_forbidden(address)


def test_listed__metadata_address_is_never_fetched(
    tmp_path: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_addresses, "is_forbidden", lambda address: address == "127.0.0.1")
    web_server.files["/meta-data"] = PICTURE
    web_server.answers["/hop"] = redirect(web_server.url("/meta-data"))
    for path in ("/meta-data", "/hop"):
        (refusal,) = fetch(tmp_path, web_server.url(path))
        assert "a link-local address or one of cloud metadata (127.0.0.1): never fetched" in refusal.reason
    assert web_server.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "nas", "nas.lan", "NAS.local."])
def test_listed__private_host_by_name_is_fetched(
    tmp_path: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    resolve(monkeypatch, {host: lambda: ["127.0.0.1"], host.lower(): lambda: ["127.0.0.1"]})
    web_server.files["/a"] = PICTURE
    assert fetch(tmp_path, web_server.url("/a").replace("127.0.0.1", host)) == []


def test_listed__public_name_that_leads_to_a_private_address_is_refused(
    tmp_path: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, {"pictures.example": lambda: ["127.0.0.1"]})
    web_server.files["/a"] = PICTURE
    (refusal,) = fetch(tmp_path, web_server.url("/a").replace("127.0.0.1", "pictures.example"))
    assert "leads to pictures.example, an address of a private network (127.0.0.1)" in refusal.reason
    assert web_server.requests == []


@pytest.mark.usefixtures("only_2_is_private")
@pytest.mark.parametrize("host", ["nas", "pictures.example"])
def test_listed__name_with_public_and_private_addresses_does_not_allow_private_redirects(
    tmp_path: Path, web_server: WebServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    resolve(monkeypatch, {host: lambda: ["127.0.0.1", "127.0.0.2"]})
    with WebServer("127.0.0.2").running() as private:
        private.files["/secret"] = PICTURE
        web_server.answers["/a"] = redirect(private.url("/secret"))
        (refusal,) = fetch(tmp_path, web_server.url("/a").replace("127.0.0.1", host))
        assert "redirects to 127.0.0.2, an address of a private network" in refusal.reason
        assert private.requests == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/a", "gopher://x/"])
def test_redirect__to_another_scheme_is_refused(tmp_path: Path, web_server: WebServer, target: str) -> None:
    web_server.answers["/a"] = redirect(target)
    (refusal,) = fetch(tmp_path, web_server.url("/a"))
    assert "expected http or https" in refusal.reason


def test_redirect__in_a_circle_ends(tmp_path: Path, web_server: WebServer) -> None:
    web_server.answers["/a"] = redirect("/a")
    (refusal,) = fetch(tmp_path, web_server.url("/a"))
    assert "redirects more than 5 times" in refusal.reason


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True), ("10.1.2.3", True), ("172.16.0.1", True), ("192.168.1.1", True), ("169.254.169.254", True),
        ("100.64.0.1", True), ("0.0.0.0", True), ("224.0.0.1", True), ("::1", True), ("fe80::1%eth0", True),
        ("fd00::1", True), ("::ffff:10.0.0.1", True), ("8.8.8.8", False), ("2606:4700::1111", False),
        ("::ffff:8.8.8.8", False),
    ],
)  # fmt: skip
def test_is_private(address: str, private: bool) -> None:
    assert is_private(address) is private


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True), ("nas", True), ("NAS.lan.", True), ("10.0.0.1", True), ("fd00::1", True),
        ("8.8.8.8", False), ("pictures.example", False), ("local.example.org", False),
    ],
)  # fmt: skip
def test_is_private_name(host: str, private: bool) -> None:
    assert is_private_name(host) is private


def test_addresses_of__name_that_leads_nowhere() -> None:
    assert addresses_of("localhost")
    assert addresses_of("name.invalid") == addresses_of("x" * 300) == []


def test_download__stops_soon_when_interrupted(tmp_path: Path, web_server: WebServer) -> None:
    go_on = threading.Event()

    def endless(handler: http.server.BaseHTTPRequestHandler, _count: int) -> None:
        send(handler, b"", Content_Length="100000000")
        while not go_on.is_set():
            handler.wfile.write(bytes(1000))

    def interrupt() -> None:
        raise KeyboardInterrupt

    web_server.answers["/endless"] = endless
    web_server.files["/a"] = PICTURE
    downloads = [Download(path, web_server.url(path), tmp_path / path[1:]) for path in ("/endless", "/a")]
    try:
        with pytest.raises(KeyboardInterrupt):
            download_all(downloads, interrupt, QUICK)
    finally:
        go_on.set()
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "no part of the other one stays"
