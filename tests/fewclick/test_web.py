"""The real program: `fewclick up` on sessions without images."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.tasks import Task
from fewclick.sessions import describe_sessions
from fewclick.web import combine, create_apps
from tests.fewclick.conftest import MakeSession

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 120


@pytest.fixture
def program(make_session: MakeSession, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`fewclick up` with two sessions, and its address."""
    folders = [make_session("cells", Task.SEGMENTATION), make_session("pets", Task.CLASSIFICATION)]
    options = [word for folder in folders for word in ("--session", str(folder))]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fewclick.cli", "up", "--port", "0", *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | {"FEWCLICK_SESSION": "", "FEWCLICK_DATABASE_URL": ""},
        )
    try:
        yield process, _address(process, log)
    finally:
        process.kill()
        process.wait(timeout=10)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while (found := re.search(r"ready: (http://\S+)/", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found.group(1)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


def _accepts(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_up__two_sessions_on_one_port(program: tuple[subprocess.Popen[str], str]) -> None:
    process, address = program
    assert _get(f"{address}/api/config")["task"] == "segmentation"
    assert _get(f"{address}/s/cells/api/config")["task"] == "segmentation"
    assert _get(f"{address}/s/pets/api/config")["task"] == "classification"
    links = _get(f"{address}/s/pets/api/sessions")
    assert [(link["url"], link["current"]) for link in links] == [("/s/cells/", False), ("/s/pets/", True)]
    with urllib.request.urlopen(f"{address}/s/pets", timeout=30) as response:
        assert response.url == f"{address}/s/pets/"

    # An open event stream must not hold up the end.
    with urllib.request.urlopen(f"{address}/s/pets/api/events", timeout=30) as stream:
        assert stream.readline()
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - started < 5


def test_up__kill_9_frees_the_port(program: tuple[subprocess.Popen[str], str]) -> None:
    process, address = program
    process.kill()
    process.wait(timeout=10)
    deadline = time.monotonic() + 15
    while _accepts(address):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_create_apps__single_session_stands_at_the_root(make_session: MakeSession) -> None:
    mounts = describe_sessions([make_session("cells")])
    [app] = apps = create_apps(mounts)
    assert combine(mounts, apps) is app
    assert app.state.settings.sessions == ()
