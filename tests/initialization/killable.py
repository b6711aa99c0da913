"""Init and the extraction service as processes of their own, to be killed at any moment.

They are forked from a server that has imported everything once: ten of them take no longer than one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from initialization.extraction_service import ExtractionService
from initialization.init_session import main
from initialization.service_settings import ServiceSettings
from models.extractor_settings import ExtractorSettings
from tests.initialization.fakes import FakeExtractor

START_LIMIT_S = 60.0
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "initialization.extract"])


def run_init(started: Path, config: Path, delay_s: float) -> None:
    """The command, with an extractor that takes `delay_s` for each call."""
    sys.exit(main(["--config", str(config), "--yes"], load_extractor=_loader(started, delay_s)))


def run_service(started: Path, session_dir: Path, delay_s: float) -> None:
    """The service, until it is killed."""
    started.touch()
    ExtractionService(session_dir, ServiceSettings(), _loader(started, delay_s)).run()


def run_and_kill(target: Callable[[Path, Path, float], None], path: Path, *, delay_s: float, after_s: float) -> bool:
    """Start it and kill -9 it `after_s` after it has begun its work; whether it still ran then."""
    with tempfile.TemporaryDirectory() as folder:
        started = Path(folder) / "started"
        process = CONTEXT.Process(target=_silently, args=(target, started, path, delay_s))
        process.start()
        deadline = time.monotonic() + START_LIMIT_S
        while not started.exists():
            assert process.is_alive(), f"ended with {process.exitcode}"
            assert time.monotonic() < deadline, "did not start"
            time.sleep(0.002)
        process.join(after_s)
        was_at_work = process.is_alive()
        process.kill()
        process.join()
        assert was_at_work or process.exitcode == 0
        process.close()
        return was_at_work


def _silently(target: Callable[[Path, Path, float], None], started: Path, path: Path, delay_s: float) -> None:
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    target(started, path, delay_s)


def _loader(started: Path, delay_s: float) -> Callable[[ExtractorSettings], FakeExtractor]:
    def load(settings: ExtractorSettings) -> FakeExtractor:
        started.touch()
        return FakeExtractor(settings.resize, delay_s)

    return load
