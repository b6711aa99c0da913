"""`fewclick up`: the web process and the services of each session, kept alive and ended together."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from db.service_log import LEVEL_VARIABLE
from db.session_dir import SESSION_VARIABLE
from fewclick.listener import address_of, open_listener
from fewclick.served_note import noting, served_elsewhere
from fewclick.sessions import SessionMount, describe_sessions

BAD_INPUT = 2
"""Exit status of a child that no restart will help."""
LOOK_INTERVAL_S = 0.1
STOP_LIMIT_S = 2.5
"""How long children may take to end before they are killed."""
START_LIMIT_S = 60.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 60.0
"""A child that lived this long starts its delays anew when it ends."""
ML_START_DELAY_S = 0.5
"""Loading torch takes all cores for seconds: the page comes first."""
EXTRACTION_START_DELAY_S = 4.0
"""After the ML service: the first image of a new session has its features already."""


@dataclass(frozen=True)
class ChildSpec:
    """A process to keep alive."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited_fds: tuple[int, ...] = ()
    start_delay_s: float = 0.0
    is_vital: bool = True
    """Whether the others are of no use if this one cannot work."""


class Child:
    """One kept-alive process: started, watched, restarted with growing delays."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.due_at: float | None = time.monotonic() + spec.start_delay_s
        self._started_at = 0.0
        self._delay_s = FIRST_DELAY_S

    def start(self, watch_fd: int) -> None:
        """Start the process; it ends when the writing end of `watch_fd` is closed."""
        command = [sys.executable, "-m", "fewclick.child", str(watch_fd), self.spec.module, *self.spec.arguments]
        self._started_at = time.monotonic()
        self.due_at = None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=os.environ | dict(self.spec.environment),
            pass_fds=(watch_fd, *self.spec.inherited_fds),
            # Its own group: a Ctrl+C in the terminal reaches the supervisor alone, which then ends all in order.
            start_new_session=True,
        )

    def exit_status(self) -> int | None:
        """Status of a process that has just ended; None while it lives or waits to be started again."""
        return None if self.process is None else self.process.poll()

    def give_up(self) -> None:
        """Never start again."""
        self.process = self.due_at = None

    def plan_restart(self) -> float:
        """Note when to start again; returns the delay in seconds."""
        if time.monotonic() - self._started_at > STEADY_AFTER_S:
            self._delay_s = FIRST_DELAY_S
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        self.process, self.due_at = None, time.monotonic() + delay_s
        return delay_s


class Supervisor:
    """Starts the children, restarts those that fail, ends all of them."""

    def __init__(self, specs: Sequence[ChildSpec], console: Console) -> None:
        self._children = [Child(spec) for spec in specs]
        self._console = console
        self._stopping = False
        self._watch_fd, self._alive_fd = os.pipe()

    def run(self) -> int:
        """Keep the children alive until `stop`; returns the exit status of the program."""
        with self._stop_on_signals():
            try:
                return self._watch()
            finally:
                self._end_children()

    def stop(self) -> None:
        """Ask `run` to end; from a signal handler or another thread too."""
        # A plain flag: an Event takes a lock, which a handler may find held by the very thread that it interrupts.
        self._stopping = True

    def _watch(self) -> int:
        while not self._stopping:
            for child in self._children:
                status = child.exit_status()
                if status == BAD_INPUT:
                    # The child has said why on its own; starting it again would only repeat that.
                    if child.spec.is_vital:
                        return BAD_INPUT
                    child.give_up()
                    self._console.print(
                        f"[yellow]{escape(child.spec.name)} cannot work, for the reason it gave; everything else "
                        "goes on. Start Fewclick again once that is mended[/]"
                    )
                elif status is not None:
                    delay_s = child.plan_restart()
                    self._console.print(
                        f"[yellow]{escape(child.spec.name)} ended ({_reason(status)}): "
                        f"starting it again in {delay_s:g} s[/]"
                    )
                elif child.due_at is not None and time.monotonic() >= child.due_at:
                    child.start(self._watch_fd)
            time.sleep(LOOK_INTERVAL_S)
        self._console.print("[dim]stopping[/]")
        return 0

    def _end_children(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        os.close(self._alive_fd)
        os.close(self._watch_fd)

    @contextlib.contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, lambda _number, _frame: self.stop()) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def announce_when_ready(base_url: str, mounts: Sequence[SessionMount], console: Console) -> None:
    """Print the address once the server answers there. Blocks: meant for a thread that dies with the program."""
    told_to_wait_at = time.monotonic() + START_LIMIT_S
    while not _answers(f"{base_url}/api/health"):
        if time.monotonic() > told_to_wait_at:
            console.print(f"[yellow]{escape(base_url)} has not answered for {START_LIMIT_S:g} s; still trying[/]")
            told_to_wait_at = time.monotonic() + START_LIMIT_S
        time.sleep(LOOK_INTERVAL_S)
    console.print(f"[bold green]Fewclick is ready:[/] [bold]{escape(base_url)}/[/]")
    if len(mounts) > 1:
        for mount in mounts:
            console.print(f"  {mount.task.name:15} {base_url}{mount.url}", markup=False)
    console.print("[dim]Ctrl+C stops it.[/]")


def up(session_dirs: Sequence[Path], host: str, port: int, sessions_root: Path | None = None) -> int:
    """Serve the sessions until Ctrl+C; returns the exit status.

    Args:
        sessions_root: Folder whose other sessions the start page lists.

    Raises:
        SessionNotFoundError: a folder holds no session.
        InvalidInputError: the address cannot be used.
    """
    # Plain lines when piped, whatever their length: an address must never be wrapped.
    console = Console(soft_wrap=True, highlight=False)
    mounts = describe_sessions(session_dirs)
    # Before the port: the other server may have it.
    warn_if_served(mounts, console)
    folders = [mount.session_dir for mount in mounts]
    with open_listener(host, port) as listener, noting(folders, address_of(listener)):
        specs = [web_spec(mounts, listener, sessions_root), *map(ml_spec, mounts), *map(extraction_spec, mounts)]
        announcement = (address_of(listener), mounts, console)
        threading.Thread(target=announce_when_ready, args=announcement, daemon=True, name="announce").start()
        return Supervisor(specs, console).run()


def warn_if_served(mounts: Sequence[SessionMount], console: Console) -> None:
    """Say of each session that another program serves where that is."""
    for mount in mounts:
        note = served_elsewhere(mount.session_dir)
        if note is not None:
            console.print(
                f"[yellow]session {escape(mount.name)} is served already, at {escape(note.url)}/ "
                f"(process {note.pid}): open that page, or stop that program. Two at once share the work, and "
                "each takes the memory of an ML service[/]"
            )


def web_spec(mounts: Sequence[SessionMount], listener: socket.socket, sessions_root: Path | None = None) -> ChildSpec:
    """The web process for all sessions."""
    fd = listener.fileno()
    folders = tuple(str(mount.session_dir) for mount in mounts)
    environment = {"FEWCLICK_SUPERVISED": "1"}
    if sessions_root is not None:
        environment["FEWCLICK_SESSIONS_ROOT"] = str(sessions_root.resolve())
    return ChildSpec("web server", "fewclick.web", ("--fd", str(fd), *folders), environment, inherited_fds=(fd,))


def ml_spec(mount: SessionMount) -> ChildSpec:
    """The ML service of one session."""
    environment = _service_environment(mount)
    name = f"ML service of {mount.name}"
    return ChildSpec(name, "ml_service.train", environment=environment, start_delay_s=ML_START_DELAY_S)


def extraction_spec(mount: SessionMount) -> ChildSpec:
    """The extraction service of one session."""
    environment = _service_environment(mount)
    name = f"extraction service of {mount.name}"
    module = "initialization.extraction_service"
    return ChildSpec(name, module, environment=environment, start_delay_s=EXTRACTION_START_DELAY_S, is_vital=False)


def _service_environment(mount: SessionMount) -> dict[str, str]:
    # A calm terminal: what is worth a word there is the address, and what goes wrong.
    return {SESSION_VARIABLE: str(mount.session_dir), LEVEL_VARIABLE: os.environ.get(LEVEL_VARIABLE, "WARNING")}


def _answers(url: str) -> bool:
    # No proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=START_LIMIT_S) as response:
            return bool(response.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def _reason(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
