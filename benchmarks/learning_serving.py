"""Backend and ML service as processes on a generated session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.client import Client, ProductError
from benchmarks.generated_session import Size, make_generated_session
from db.database import Database
from db.session_dir import SESSION_VARIABLE
from db.tables.session import SessionInfo

LIMIT_S = 60.0


@dataclass(frozen=True)
class Served:
    """What runs."""

    db: Database
    url: str
    service_pid: int


@contextmanager
def serving(folder: Path, size: Size) -> Iterator[Served]:
    """Backend and ML service on a generated session."""
    db = make_generated_session(folder, size)
    environment = {**os.environ, SESSION_VARIABLE: str(folder)}
    port = _free_port()
    backend = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "backend.main:app", "--port", str(port), "--log-level", "warning"],
        env=environment,
    )
    service = subprocess.Popen([sys.executable, "-m", "ml_service.train"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield Served(db, f"http://127.0.0.1:{port}", service.pid)
    finally:
        for process in (service, backend):
            process.terminate()
            process.wait()
        db.close()
        shutil.rmtree(folder / "predictions", ignore_errors=True)


def wait_until_up(client: Client) -> None:
    """Return once both processes answer."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            if client.json("GET", "health")["ml_service"]["alive"]:
                return
        except (ProductError, httpx.TransportError):
            pass  # it is starting still
        time.sleep(0.1)
    raise TimeoutError(f"backend and ML service were not up after {LIMIT_S:g} s")


def wait_for_head(db: Database) -> None:
    """Return once the labels that are there were learned."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with db.read() as db_session:
            if db_session.get_one(SessionInfo, 1).head_version > 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"there was no head after {LIMIT_S:g} s")


def peak_memory_mb(pid: int) -> float:
    """Resident memory at its highest, on Linux."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
