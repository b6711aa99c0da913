"""A note in the session folder of where the session is served, so that a second `fewclick up` can say so."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from models.atomic_file import open_atomically

FILE_NAME = "served_at.json"
CONNECT_LIMIT_S = 1.0


@dataclass(frozen=True)
class ServedNote:
    """Who serves a session, and where."""

    url: str
    """Root of the server."""
    pid: int
    machine: str


def served_elsewhere(session_dir: Path) -> ServedNote | None:
    """The server of this machine that serves the session now; None without one, also where one was killed."""
    try:
        note = ServedNote(**json.loads((session_dir / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_here = note.machine == socket.gethostname() and note.pid != os.getpid()
    return note if is_here and _listens(note.url) else None


@contextlib.contextmanager
def noting(session_dirs: Sequence[Path], url: str) -> Iterator[None]:
    """While inside, the folders say that this process serves them. A folder that cannot be written says nothing."""
    note = ServedNote(url, os.getpid(), socket.gethostname())
    for session_dir in session_dirs:
        with contextlib.suppress(OSError), open_atomically(session_dir / FILE_NAME, durable=False) as stream:
            stream.write(json.dumps(asdict(note)).encode())
    try:
        yield
    finally:
        for session_dir in session_dirs:
            _forget(session_dir / FILE_NAME, note)


def _forget(file: Path, note: ServedNote) -> None:
    """Remove the note, unless another server has written its own since."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(file.read_text(encoding="utf-8")) == asdict(note):
            file.unlink()


def _listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), CONNECT_LIMIT_S).close()
    except (OSError, ValueError):
        return False
    return True
