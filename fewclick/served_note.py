"""A note in the session folder of where the session is served, so that a second `fewclick up` can say so."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.atomic_file import open_atomically

FILE_NAME = "served_at.json"
ANSWER_LIMIT_S = 1.0
HEALTH_KEYS = frozenset({"version", "ml_service", "extraction"})
"""What the health of no other program says."""


@dataclass(frozen=True)
class ServedNote:
    """Who serves a session, and where."""

    url: str
    """Root of the server."""
    pid: int
    machine: str
    session_dir: str
    """Resolved: the note in a copy of the folder is not about the copy."""


def served_elsewhere(session_dir: Path) -> ServedNote | None:
    """The server of this machine that serves the session now; None without one, also where one was killed."""
    try:
        note = ServedNote(**json.loads((session_dir / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_here = note.machine == socket.gethostname() and note.session_dir == str(session_dir.resolve())
    is_another = is_here and note.pid != os.getpid() and _lives(note.pid)
    return note if is_another and _is_fewclick(note.url) else None


@contextlib.contextmanager
def noting(session_dirs: Sequence[Path], url: str) -> Iterator[None]:
    """While inside, the folders say that this process serves them. A folder that cannot be written says nothing; one
    that another program serves goes on saying so.
    """
    notes = {
        session_dir / FILE_NAME: ServedNote(url, os.getpid(), socket.gethostname(), str(session_dir.resolve()))
        for session_dir in session_dirs
        if served_elsewhere(session_dir) is None
    }
    for file, note in notes.items():
        with contextlib.suppress(OSError), open_atomically(file, durable=False) as stream:
            stream.write(json.dumps(asdict(note)).encode())
    try:
        yield
    finally:
        for file, note in notes.items():
            _forget(file, note)


def _forget(file: Path, note: ServedNote) -> None:
    """Remove the note, unless another server has written its own since."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(file.read_text(encoding="utf-8")) == asdict(note):
            file.unlink()


def _lives(pid: int) -> bool:
    # 0 and less would mean groups of processes.
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another account's
    except (OSError, OverflowError):
        return False
    return True


def _is_fewclick(url: str) -> bool:
    """Whether Fewclick answers there, or nobody does in time though the port is open: it may be starting, or busy."""
    # No proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/health", timeout=ANSWER_LIMIT_S) as response:
            health = json.loads(response.read())
    except TimeoutError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, TimeoutError)
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return False
    return isinstance(health, dict) and health.keys() >= HEALTH_KEYS
