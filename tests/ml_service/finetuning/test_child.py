"""The process that fine-tunes ends with the service, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml_service.finetuning.plan import PLAN_NAME

SERVICE = """
import errno, os, sys, time
from pathlib import Path
from ml_service.finetuning.child import Child

folder = Path(sys.argv[1])
child = Child(folder, threads=1, niceness=0)
while True:
    try:
        pipe = os.open(folder / sys.argv[2], os.O_WRONLY | os.O_NONBLOCK)
        break
    except OSError as error:
        assert error.errno == errno.ENXIO
        time.sleep(0.01)
child.hold()
print(child.pid, flush=True)
time.sleep(60)
"""
"""Holds its process, which waits for a plan from a pipe that nobody writes to."""


def state_of(pid: int) -> str:
    """One letter of proc(5); Z for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a held process that its parent died")
def test_child__held_when_the_service_is_killed_dies_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / PLAN_NAME)
    with subprocess.Popen([sys.executable, "-c", SERVICE, tmp_path, PLAN_NAME], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        deadline = time.monotonic() + 30
        while state_of(pid) not in "TZ" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert state_of(pid) == "T"
        service.kill()
    try:
        while state_of(pid) not in "ZX" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert state_of(pid) in "ZX"
    finally:
        if state_of(pid) not in "ZX":
            os.kill(pid, signal.SIGKILL)
