"""Features made in the background, by the service alone, by several, and by services that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import select

from db.database import ChangeDetector, Database
from db.enums import FeatureState, JobKind
from db.queries.extraction import read_progress
from db.queries.extraction_workers import living_workers
from db.queries.feature_requests import request_features
from db.queries.jobs import request_job
from db.tables.images import Image
from db.tables.processes import Event, Worker
from initialization.extraction_service import STOP_SIGNALS, ExtractionService, main
from initialization.service_settings import ServiceSettings
from models.base import Features
from models.errors import WeightsError
from models.registry import load_extractor
from tests.initialization.fakes import FakeExtractor, feature_files, init, opened, rows, save_picture, write_config
from tests.initialization.killable import run_and_kill, run_service
from tests.waiting import wait_until

QUICK = ServiceSettings(poll_interval_s=0.01, retry_interval_s=0.05, courtesy_limit_s=0.2)


class Ordered(FakeExtractor):
    """Notes in which order pictures come: their width, and whether all of their features are asked for."""

    def __init__(self, delay_s: float = 0.0) -> None:
        super().__init__(delay_s=delay_s)
        self.seen: list[tuple[int, bool]] = []

    @property
    def batch_size(self) -> int:
        return 1

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        self.seen += [(image.shape[1], patches) for image in images]
        return super().extract(images, patches=patches, pooled=pooled)


def make_background_session(tmp_path: Path, count: int = 6, **changes: object) -> Path:
    """Image n is 10 + n pixels wide; the first one has its features."""
    for number in range(1, count + 1):
        save_picture(tmp_path / f"images/{number:03}.png", size=(10 + number, 16))
    assert init(write_config(tmp_path, **changes), "--background", "--yes", load=lambda _: Ordered()) == 0
    return tmp_path / "session"


@contextmanager
def running(service: ExtractionService) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield thread
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


def is_done(database: Database) -> bool:
    with database.read() as db_session:
        progress = read_progress(db_session)
    return progress.pending == 0 and progress.pooled_done + progress.failed >= progress.total


def test_run__makes_what_init_left_in_order_of_use(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path)
    assert [row["features"] for row in rows(session_dir)] == ["ready", *["pending"] * 5]
    extractor = Ordered()
    with opened(session_dir) as database, running(ExtractionService(session_dir, QUICK, lambda _: extractor)):
        with database.write() as db_session:
            request_features(db_session, 5)
        wait_until(lambda: is_done(database))
        with database.read() as db_session:
            kinds = db_session.scalars(select(Event.kind)).all()
    whole = [width - 10 for width, patches in extractor.seen if patches]
    pooled = [width - 10 for width, patches in extractor.seen if not patches]
    assert whole.index(5) <= 2, "what a person looks at comes soon after it was opened"
    assert sorted(whole) == [2, 3, 4, 5, 6]
    assert set(pooled) <= {3, 4, 5, 6}, "2 comes next in the session, so it was made whole"
    first_rest = next(n for n, (width, patches) in enumerate(extractor.seen) if patches and width - 10 not in (2, 5))
    assert all(patches for _, patches in extractor.seen[first_rest:]), "all pooled vectors before the rest"
    assert kinds.count("features") < 10
    whole_session = tmp_path / "whole"
    whole_session.mkdir()
    (whole_session / "images").symlink_to(tmp_path / "images")
    assert init(write_config(whole_session), "--yes") == 0
    assert rows(session_dir) == rows(whole_session / "session")
    assert feature_files(session_dir) == feature_files(whole_session / "session")


def test_run__classification_makes_pooled_vectors_alone(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path, task="classification")
    extractor = Ordered()
    with opened(session_dir) as database, running(ExtractionService(session_dir, QUICK, lambda _: extractor)):
        wait_until(lambda: is_done(database))
    assert sorted(extractor.seen) == [(10 + n, False) for n in range(2, 7)]


def test_run__two_share_the_work_and_nothing_is_made_twice(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path, count=30, task="classification")
    extractors = [Ordered(0.01), Ordered(0.01)]
    services = [ExtractionService(session_dir, QUICK, lambda _, each=each: each) for each in extractors]
    with opened(session_dir) as database, running(services[0]), running(services[1]):
        wait_until(lambda: is_done(database))
    assert sorted(seen for each in extractors for seen in each.seen) == [(10 + n, False) for n in range(2, 31)]
    assert all(each.seen for each in extractors)


def test_run__missing_weights_are_told_and_found_once_they_are_there(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path)
    tries: list[int] = []

    def load(_settings: object) -> FakeExtractor:
        tries.append(1)
        if len(tries) < 3:
            raise WeightsError("weights_path: vits16.pth is missing: download it")
        return FakeExtractor()

    with opened(session_dir) as database:

        def messages() -> list[str | None]:
            with database.read() as db_session:
                return [worker.message for worker in living_workers(db_session)]

        slow = ServiceSettings(poll_interval_s=0.01, retry_interval_s=0.5)
        with running(ExtractionService(session_dir, slow, load)):
            wait_until(lambda: messages() == ["weights_path: vits16.pth is missing: download it"])
            wait_until(lambda: is_done(database))
            wait_until(lambda: messages() == [None])
        assert messages() == [], "it has taken leave"


def test_run__other_weights_are_refused(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path)
    with opened(session_dir) as database, running(ExtractionService(session_dir, QUICK, lambda _: FakeExtractor(128))):

        def message() -> str:
            with database.read() as db_session:
                return str(next(iter(living_workers(db_session))).message) if db_session.query(Worker).count() else ""

        wait_until(lambda: "(resize: found 128, expected 64): put the old weights back" in message())
        with database.read() as db_session:
            assert read_progress(db_session).done == 1


def test_run__full_disk_is_told_and_all_is_made_once_there_is_room(tmp_path: Path) -> None:
    class Full(FakeExtractor):
        def extract(self, *arguments: Any, **options: Any) -> list[Features]:
            if not is_room.is_set():
                raise OSError(28, "No space left on device")
            return super().extract(*arguments, **options)

    is_room = threading.Event()
    session_dir = make_background_session(tmp_path)
    with opened(session_dir) as database, running(ExtractionService(session_dir, QUICK, lambda _: Full())):

        def is_told() -> bool:
            with database.read() as db_session:
                messages = [worker.message or "" for worker in living_workers(db_session)]
            return any("cannot be written: No space left" in message for message in messages)

        wait_until(is_told)
        is_room.set()
        wait_until(lambda: is_done(database), limit_s=10)


def test_run__waits_with_a_network_no_longer_than_told(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path, count=2)
    service = ExtractionService(
        session_dir, ServiceSettings(poll_interval_s=0.01, idle_exit_s=0), lambda _: FakeExtractor()
    )
    assert service.run() is True
    assert {row["features"] for row in rows(session_dir)} == {"ready"}


def test_run__gives_way_to_clicks_but_not_for_ever(tmp_path: Path) -> None:
    session_dir = make_background_session(tmp_path, count=3)
    with opened(session_dir) as database:
        with database.write() as db_session:
            request_job(db_session, JobKind.REFIT, 1)
        with running(ExtractionService(session_dir, QUICK, lambda _: FakeExtractor())):
            wait_until(lambda: is_done(database))


def test_main__no_session_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FEWCLICK_SESSION", str(tmp_path))
    monkeypatch.setenv("FEWCLICK_EXTRACTION_NICENESS", "0")
    assert main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("FEWCLICK_EXTRACTION_THREADS", "many")
    assert main() == 2
    assert "FEWCLICK_EXTRACTION_THREADS='many'" in capsys.readouterr().err


def test_run__killed_at_any_moment_gives_the_same_session(tmp_path: Path) -> None:
    for folder in (tmp_path / "whole", tmp_path / "killed"):
        for number in range(1, 41):
            save_picture(folder / f"images/{number:03}.png", seed=number % 35)
        (folder / "images/007.png").write_bytes(b"damaged")
    whole, killed = (write_config(tmp_path / name) for name in ("whole", "killed"))
    assert init(whole, "--yes") == 0
    assert init(killed, "--background", "--yes") == 0
    session_dir = tmp_path / "killed/session"
    random = np.random.default_rng(3)
    for moment_s in random.uniform(0.05, 0.3, 6):
        assert run_and_kill(run_service, session_dir, delay_s=0.05, after_s=float(moment_s))
    with opened(session_dir) as database, running(ExtractionService(session_dir, QUICK, lambda _: FakeExtractor())):
        wait_until(lambda: is_done(database))
        with database.read() as db_session:
            assert FeatureState.PENDING not in db_session.scalars(select(Image.features)).all()
    assert rows(tmp_path / "whole/session") == rows(session_dir)
    assert feature_files(tmp_path / "whole/session") == feature_files(session_dir)


@pytest.fixture
def settled_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A session for `main`, which starts afresh as soon as all is done; signals are as before at the end."""
    for number in range(3):
        save_picture(tmp_path / f"images/{number}.png")
    config = write_config(tmp_path, extractor="tests.initialization.fakes:load_fake")
    assert init(config, "--background", "--yes", load=load_extractor) == 0
    monkeypatch.setenv("FEWCLICK_SESSION", str(tmp_path / "session"))
    monkeypatch.setenv("FEWCLICK_EXTRACTION_NICENESS", "0")
    monkeypatch.setenv("FEWCLICK_EXTRACTION_IDLE_EXIT_S", "0")
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield tmp_path / "session"
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("is_stopped", [True, False])
def test_main__stopped_just_before_a_fresh_start_ends(
    settled_session: Path, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    started: list[str] = []
    close = ChangeDetector.close

    def close_late(detector: ChangeDetector) -> None:  # `run` has decided by then
        close(detector)
        if is_stopped:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ChangeDetector, "close", close_late)
    monkeypatch.setattr(os, "execv", lambda path, _arguments: started.append(path))
    assert main() == 0
    assert bool(started) is not is_stopped
    assert {row["features"] for row in rows(settled_session)} == {"ready"}


@pytest.mark.usefixtures("settled_session")
def test_main__stop_that_came_while_it_started_afresh_is_heard() -> None:
    blocked = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); "
        "os.kill(os.getpid(), signal.SIGTERM); "
        "os.execv(sys.executable, [sys.executable, '-m', 'initialization.extraction_service'])"
    )
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "SIGTERM: stopping" in done.stderr + done.stdout
