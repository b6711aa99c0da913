"""Start and stop the product for one session, as a user would: its own commands, in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

ROOT = Path(__file__).resolve().parent.parent
HEALTH_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
LOG_TAIL_CHARACTERS = 3000


class StartError(Exception):
    """A part of the product did not start; the message holds what it printed last."""


def write_config(
    path: Path,
    *,
    task: str,
    image_dir: Path,
    session_dir: Path,
    classes: Sequence[tuple[str, str] | dict[str, str]],
    **other: Any,
) -> Path:
    """A YAML config with the embedded extractor; a class is (name, colour), or all its keys; `other` adds keys."""
    values: dict[str, Any] = {
        "task": task,
        "image_dir": str(image_dir.resolve()),
        "formats": "jpg,jpeg,png,tif,tiff",
        "labels_dir": None,
        "session_dir": str(session_dir.resolve()),
        "dinov3_repo": None,
        "weights_path": None,
        "resize": None,
        "classes": [c if isinstance(c, dict) else {"name": c[0], "color": c[1]} for c in classes],
        "prediction_interval": 20,
        "early_stop_patience": 5,
        "early_stop_threshold": 0.001,
    }
    path.write_text(yaml.safe_dump(values | other, sort_keys=False), encoding="utf-8")
    return path


def init_session(config_path: Path, *, limit_s: float = 1800) -> str:
    """Run init_session.py and return what it printed.

    Raises:
        StartError: it did not end with status 0.
    """
    command = [sys.executable, "initialization/init_session.py", "--config", str(config_path), "--yes"]
    result = subprocess.run(
        command, cwd=ROOT, env=environment({}), capture_output=True, text=True, timeout=limit_s, check=False
    )
    if result.returncode != 0:
        raise StartError(
            f"{' '.join(command)} ended with {result.returncode}:\n{(result.stdout + result.stderr)[-3000:]}"
        )
    return result.stdout + result.stderr


def free_port() -> int:
    """A port of this host that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """That of this process, without settings of the product, and what is `extra`."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FEWCLICK_")}
    paths = [str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])]
    return inherited | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"} | dict(extra)


@dataclass
class Product:
    """Backend and ML service of one session; a context manager that leaves no process behind."""

    session_dir: Path
    log_dir: Path
    port: int = field(default_factory=free_port)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start_backend()
            self.start_ml_service()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_backend(self) -> None:
        """Start the backend and wait until it answers."""
        command = ["-m", "uvicorn", "backend.main:app", "--host", "127.0.0.1", "--port", str(self.port)]
        self._start("backend", [*command, "--log-level", "warning"])
        self._wait("backend", lambda health: health["status"] != "")

    def start_ml_service(self) -> None:
        """Start the ML service and wait until the backend sees its heartbeat."""
        self._start("ml_service", ["-m", "ml_service.train"])
        self._wait("ml_service", lambda health: bool(health["ml_service"]["alive"]))

    def start_extraction_service(self) -> None:
        """Start the extraction service; it makes what features are missing."""
        self._start("extraction_service", ["-m", "initialization.extraction_service"])

    def kill(self, name: str) -> None:
        """kill -9 of one process: "backend", "ml_service" or "extraction_service"."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(STOP_LIMIT_S)

    def stop(self) -> None:
        """End the processes: asked first, then killed."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_LIMIT_S)
        self._processes.clear()

    def log(self, name: str) -> str:
        """What a process printed, its last part."""
        path = self.log_dir / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:] if path.exists() else ""

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        with (self.log_dir / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment({"FEWCLICK_SESSION": str(self.session_dir.resolve())}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _wait(self, name: str, ready: Any) -> None:
        deadline = time.monotonic() + HEALTH_LIMIT_S
        while time.monotonic() < deadline:
            if self._processes[name].poll() is not None:
                raise StartError(f"{name} ended with {self._processes[name].returncode}:\n{self.log(name)}")
            try:
                answer = httpx.get(f"{self.url}/api/health", timeout=5, trust_env=False)
                if answer.is_success and ready(answer.json()):
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.05)
        raise StartError(f"{name} was not ready within {HEALTH_LIMIT_S:g} s:\n{self.log(name)}")
