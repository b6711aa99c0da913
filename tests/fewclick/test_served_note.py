"""Where a session is served."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from db.tasks import Task
from fewclick.listener import address_of, open_listener
from fewclick.served_note import FILE_NAME, ServedNote, noting, served_elsewhere
from fewclick.sessions import SessionMount
from fewclick.supervisor import warn_if_served


def write_note(folder: Path, **changes: object) -> ServedNote:
    """As another process on this machine would have."""
    with noting([folder], "http://127.0.0.1:1"):
        own = json.loads((folder / FILE_NAME).read_text())
    note = ServedNote(**{**own, "pid": os.getppid(), **changes})
    (folder / FILE_NAME).write_text(json.dumps(asdict(note)))
    return note


HEALTH = {"status": "ok", "version": "1", "database": "sqlite", "ml_service": {}, "extraction": {}}


@contextlib.contextmanager
def answering(health: object) -> Iterator[str]:
    """A web server that says this of its health; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(health).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield address_of(server.socket)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", ["cells", "cells [old]", "cells [/old]"])
def test_served_elsewhere__a_server_that_answers(tmp_path: Path, name: str) -> None:
    with answering(HEALTH) as url:
        note = write_note(tmp_path, url=url)
        assert served_elsewhere(tmp_path) == note
        output = io.StringIO()
        mount = SessionMount(tmp_path, name, "cells", Task.CLASSIFICATION)
        warn_if_served([mount], Console(file=output, soft_wrap=True))
        assert f"session {name} is served already, at {note.url}/ (process {note.pid})" in output.getvalue()
    assert served_elsewhere(tmp_path) is None, "it was killed"


def test_served_elsewhere__one_that_starts_says_nothing_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewclick.served_note.ANSWER_LIMIT_S", 0.05)
    with open_listener("127.0.0.1", 0) as listener:
        note = write_note(tmp_path, url=address_of(listener))
        assert served_elsewhere(tmp_path) == note


@pytest.mark.parametrize("health", [{"status": "ok"}, [], "ok"])
def test_served_elsewhere__another_program_has_the_port_now(tmp_path: Path, health: object) -> None:
    with answering(health) as url:
        write_note(tmp_path, url=url)
        assert served_elsewhere(tmp_path) is None


def test_served_elsewhere__a_process_that_has_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with answering(HEALTH) as url:
        for pid in (ended.pid, 0, -1, 2**80, "1"):
            write_note(tmp_path, url=url, pid=pid)
            assert served_elsewhere(tmp_path) is None


def test_served_elsewhere__a_copy_of_the_folder(tmp_path: Path) -> None:
    with answering(HEALTH) as url:
        write_note(tmp_path, url=url, session_dir=str(tmp_path / "original"))
        assert served_elsewhere(tmp_path) is None


def test_noting__the_note_of_a_server_that_lives_stays(tmp_path: Path) -> None:
    with answering(HEALTH) as url:
        note = write_note(tmp_path, url=url)
        with noting([tmp_path], "http://127.0.0.1:1"):
            assert served_elsewhere(tmp_path) == note
        assert served_elsewhere(tmp_path) == note


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"url": 1, "pid": 2}', '{"url": "http://[", "pid": 1, "machine": ""}']
)
def test_served_elsewhere__a_note_that_says_nothing(tmp_path: Path, text: str) -> None:
    assert served_elsewhere(tmp_path) is None
    (tmp_path / FILE_NAME).write_text(text)
    assert served_elsewhere(tmp_path) is None


def test_served_elsewhere__another_machine(tmp_path: Path) -> None:
    with open_listener("127.0.0.1", 0) as listener:
        write_note(tmp_path, url=address_of(listener), machine="elsewhere")
        assert served_elsewhere(tmp_path) is None


def test_noting__while_it_lasts(tmp_path: Path) -> None:
    with noting([tmp_path, tmp_path / "none" / "such"], "http://127.0.0.1:1"):
        assert served_elsewhere(tmp_path) is None, "this process itself"
        assert (tmp_path / FILE_NAME).is_file()
    assert not (tmp_path / FILE_NAME).exists()


def test_noting__leaves_the_note_of_another(tmp_path: Path) -> None:
    with noting([tmp_path], "http://127.0.0.1:1"):
        note = write_note(tmp_path)
    assert json.loads((tmp_path / FILE_NAME).read_text()) == asdict(note)
