"""Ray itself: started on this machine for one run, or joined where it is at work; silent, and without telemetry."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from initialization.cluster_pool import ClusterSettings, Machine
from initialization.errors import ClusterError

OBJECT_STORE_BYTES = 100_000_000
"""Of a local Ray: only paths and hashes travel, never pixels or features."""
MAX_TEMPORARY_LENGTH = 24
"""Ray keeps sockets some 80 characters below, and their paths may have 107 (man 7 unix)."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray then keeps to 127.0.0.1 on every system; it reads this when it is imported."""


@contextmanager
def running_ray(settings: ClusterSettings) -> Iterator[list[Machine]]:
    """Ray for the length of the block, with its machines; what was started here ends with it, what was joined goes on.

    Raises:
        ClusterError: Ray is not installed, or does not answer.
    """
    check_installed()
    with ExitStack() as cleanup:
        cleanup.enter_context(_environment(QUIET if settings.address else QUIET | LOOPBACK | _own_path()))
        ray = _import_ray()
        how: dict[str, Any] = {"address": settings.address} if settings.address else _local(settings, cleanup)
        cleanup.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        cleanup.callback(ray.shutdown)
        _connect(ray, settings.address, how)
        cleanup.enter_context(_silent_driver())
        yield _machines(ray)


def check_installed() -> None:
    """Whether Ray can be imported, without importing it.

    Raises:
        ClusterError: it cannot.
    """
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise ClusterError('--engine ray needs Ray: run `pip install "fewclick[ray]"`, or take --engine local')


def _own_path() -> dict[str, str]:
    """Workers on this machine import what this process can import, from wherever it was started."""
    return {"PYTHONPATH": os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)}


def _import_ray() -> Any:
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return ray


def _local(settings: ClusterSettings, cleanup: ExitStack) -> dict[str, Any]:
    folder = tempfile.mkdtemp(prefix="fc-ray-", dir=short_temporary_folder())
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    how: dict[str, Any] = {
        "address": "local",  # whatever RAY_ADDRESS says
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    if settings.cpus is not None:  # a person may ask for more workers than there are processors
        how["num_cpus"] = max(os.cpu_count() or 1, settings.cpus * (settings.workers or 1))
    elif settings.workers is not None:
        how["num_cpus"] = max(os.cpu_count() or 1, settings.workers)
    return how


def short_temporary_folder() -> str:
    """The system's folder for temporary files, or /tmp where that has too long a name for sockets."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= MAX_TEMPORARY_LENGTH or not Path("/tmp").is_dir() else "/tmp"


def _connect(ray: Any, address: str | None, how: dict[str, Any]) -> None:
    try:
        with _silent_file_descriptor(2):
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **how)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        if address:
            raise ClusterError(f"--ray-address: no Ray answers at {address}: {reason}") from error
        raise ClusterError(f"Ray did not start on this machine: {reason}; --engine local needs none") from error


def _machines(ray: Any) -> list[Machine]:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Machine(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _silent_file_descriptor(number: int) -> Iterator[None]:
    """Ray's C++ part announces its log level there, whatever the level is."""
    sys.stderr.flush()
    kept, sink = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(sink)


@contextmanager
def _silent_driver() -> Iterator[None]:
    """Ray prints every death of a worker and every retry, and has no setting against it; the report tells of them."""
    import ray._private.worker as ray_worker

    shown = getattr(ray_worker, "print_to_stdstream", None)
    if shown is None:
        yield
        return
    ray_worker.print_to_stdstream = lambda *_args, **_kwargs: None
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = shown
