"""Where a session is served."""

from __future__ import annotations

import io
import json
import os
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


def test_served_elsewhere__a_server_that_answers(tmp_path: Path) -> None:
    with open_listener("127.0.0.1", 0) as listener:
        note = write_note(tmp_path, url=address_of(listener))
        assert served_elsewhere(tmp_path) == note
        output = io.StringIO()
        mount = SessionMount(tmp_path, "cells", "cells", Task.CLASSIFICATION)
        warn_if_served([mount], Console(file=output, soft_wrap=True))
        assert f"session cells is served already, at {note.url}/ (process {note.pid})" in output.getvalue()
    assert served_elsewhere(tmp_path) is None, "it was killed"


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
