"""Real processes: the children are small programs written for each test."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from db.errors import InvalidInputError
from db.tasks import Task
from fewclick.listener import address_of, open_listener
from fewclick.sessions import SessionMount
from fewclick.supervisor import ChildSpec, Supervisor, extraction_spec, ml_spec
from tests.waiting import wait_until

WriteProgram = Callable[[str], str]
StartParent = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).resolve().parents[2]
SLEEPER = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(120)
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER
COUNTER = """
import pathlib, sys
file = pathlib.Path(sys.argv[1])
file.write_text(file.read_text() + "x" if file.exists() else "x")
sys.exit(int(sys.argv[2]))
"""
PARENT = """
import sys
from rich.console import Console
from fewclick.supervisor import ChildSpec, Supervisor
specs = [ChildSpec(f"child {file}", "child_program", (file,)) for file in sys.argv[1:]]
sys.exit(Supervisor(specs, Console()).run())
"""


@pytest.fixture
def child_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteProgram:
    """Makes a module that children can run; returns its name."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")

    def write(source: str) -> str:
        (tmp_path / "child_program.py").write_text(source)
        return "child_program"

    return write


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[StartParent]:
    """Starts a supervisor as a program of its own; it is gone when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*files: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PARENT, *map(str, files)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended; in a container nobody may ever collect it.
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def pid_in(file: Path) -> int:
    wait_until(lambda: file.is_file() and file.read_text() != "")
    return int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run__signal_ends_all_children(
    number: signal.Signals, tmp_path: Path, child_program: WriteProgram, parent: StartParent
) -> None:
    child_program(SLEEPER)
    files = [tmp_path / "one", tmp_path / "two"]
    process = parent(*files)
    pids = [pid_in(file) for file in files]
    started = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - started < 4
    assert not any(map(is_alive, pids))


def test_run__stubborn_child_is_killed(tmp_path: Path, child_program: WriteProgram, parent: StartParent) -> None:
    child_program(STUBBORN)
    process = parent(tmp_path / "one")
    pid = pid_in(tmp_path / "one")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert not is_alive(pid)


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_run__kill_9_leaves_no_orphan(
    program: str, tmp_path: Path, child_program: WriteProgram, parent: StartParent
) -> None:
    child_program(program)
    files = [tmp_path / "one", tmp_path / "two"]
    process = parent(*files)
    pids = [pid_in(file) for file in files]
    process.kill()
    process.wait(timeout=10)
    wait_until(lambda: not any(map(is_alive, pids)), limit_s=10)


def test_run__failed_child_is_started_again(tmp_path: Path, child_program: WriteProgram) -> None:
    output = io.StringIO()
    count = tmp_path / "count"
    spec = ChildSpec("worker", child_program(COUNTER), (str(count), "3"))
    supervisor = Supervisor([spec], Console(file=output, width=200))
    stopper = threading.Thread(
        target=lambda: (wait_until(lambda: count.is_file() and len(count.read_text()) >= 2), supervisor.stop())
    )
    stopper.start()
    assert supervisor.run() == 0
    stopper.join(timeout=30)
    assert "worker ended (exit status 3): starting it again in 0.5 s" in output.getvalue()


def test_run__bad_input_ends_the_program(tmp_path: Path, child_program: WriteProgram) -> None:
    count = tmp_path / "count"
    spec = ChildSpec("worker", child_program(COUNTER), (str(count), "2"))
    assert Supervisor([spec], Console(file=io.StringIO())).run() == 2
    assert count.read_text() == "x"


def test_run__bad_input_of_a_child_that_is_not_vital_leaves_the_others(
    tmp_path: Path, child_program: WriteProgram
) -> None:
    output = io.StringIO()
    helper, worker = tmp_path / "helper", tmp_path / "worker"
    module = child_program(COUNTER)
    specs = [
        ChildSpec("helper", module, (str(helper), "2"), is_vital=False),
        ChildSpec("worker", module, (str(worker), "3")),
    ]
    supervisor = Supervisor(specs, Console(file=output, width=200))
    # Two restarts of the other take longer than one of the helper would.
    stopper = threading.Thread(
        target=lambda: (wait_until(lambda: worker.is_file() and len(worker.read_text()) >= 3), supervisor.stop())
    )
    stopper.start()
    assert supervisor.run() == 0
    stopper.join(timeout=30)
    assert helper.read_text() == "x"
    assert output.getvalue().count("helper cannot work") == 1


def test_extraction_spec__alone_is_not_vital(tmp_path: Path) -> None:
    mount = SessionMount(tmp_path, "mine", "mine", Task.SEGMENTATION)
    assert (ml_spec(mount).is_vital, extraction_spec(mount).is_vital) == (True, False)


def test_open_listener__port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError, match=f"port {port} on 127.0.0.1 is in use.*--port 0"):
            open_listener("127.0.0.1", port)


def test_open_listener__free_port() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_open_listener__other_machines_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"host 0\.0\.0\.0: Fewclick has no login"):
        open_listener("0.0.0.0", 0)
