"""What nothing refers to goes; what a run, a head or another service needs stays, whenever a process is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.database import ChangeDetector, Database
from db.enums import RunState
from db.migrate import migrate
from db.queries.session_info import TrainingSettings
from db.tables.learning import Run
from db.tables.session import SessionInfo
from db.tasks import Task
from ml_service.run_files import FOLDER, arrays_named_by, state_path
from ml_service.session_leftovers import (
    SCALER_FOLDER,
    WORK_FOLDER,
    find_session_leftovers,
    remove_session_leftovers,
    size_of,
)
from models.base import ExtractorInfo
from tests.ml_service.toy_session import ToySession, work_off

LIMIT_S = 60.0
ROOT = Path(__file__).resolve().parents[2]
WORK_FOR_EVER = """
import sys
from pathlib import Path
from db.database import Database
from db.enums import RunState
from db.tables.learning import Run
from db.tables.session import SessionInfo
from ml_service.session_leftovers import SCALER_FOLDER, remove_session_leftovers
from models.atomic_file import write_atomically
from tests.ml_service.test_session_leftovers import write_state

folder = Path(sys.argv[1])
database = Database.of_session(folder)
number = 0
while True:
    number += 1
    with database.write() as db_session:
        run = Run(state=RunState.RUNNING)
        db_session.add(run)
        db_session.flush()
    write_state(folder, run.id, 1)
    write_state(folder, run.id, 2)
    write_atomically(folder / SCALER_FOLDER / f"{number}.safetensors", b"scaler")
    with database.write() as db_session:
        db_session.get_one(SessionInfo, 1).scaler = {"hash": str(number), "n_images": 1, "extractor": ""}
        db_session.get_one(Run, run.id).state = RunState.SUSPENDED if number % 3 == 0 else RunState.FINISHED
    remove_session_leftovers(database, folder, grace_s=-1)
"""


def write_state(folder: Path, run_id: int, epoch: int) -> None:
    """As `save_loop` does: the arrays, the JSON that names them; those of before stay for the collector."""
    path = state_path(folder, run_id)
    path.parent.mkdir(exist_ok=True)
    path.with_name(f"run-{run_id}-{epoch}-0.safetensors").write_bytes(b"arrays")
    temporary = path.with_name(f".{path.name}.x.tmp")
    temporary.write_text(json.dumps({"arrays": f"run-{run_id}-{epoch}-0.safetensors"}))
    temporary.replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session with a run that goes on (1), one that has ended (2), and the scaler `now`."""
    database = Database(f"sqlite:///{tmp_path / 'annotations.db'}")
    migrate(database.engine)
    with database.write() as db_session:
        db_session.add(
            SessionInfo(
                name="cells", task=Task.CLASSIFICATION, image_root="images", config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=ExtractorInfo("toy", "0" * 16, 8, 8, 6, 5, 64).to_json(),
                scaler={"hash": "now", "n_images": 1, "extractor": ""},
            )
        )  # fmt: skip
        db_session.add_all([Run(state=RunState.SUSPENDED), Run(state=RunState.FINISHED)])
    database.close()
    return tmp_path


def names(folder: Path, *parts: str) -> list[str]:
    return sorted(path.name for part in parts for path in (folder / part).iterdir())


def test_remove__only_what_nothing_refers_to(folder: Path) -> None:
    for run_id in (1, 2):
        write_state(folder, run_id, 1)
        write_state(folder, run_id, 2)
        (folder / WORK_FOLDER / f"run-{run_id}").mkdir(parents=True)
    write_state(folder, 3, 1)
    state_path(folder, 1).with_name(".run-1-3-0.safetensors.x.tmp").write_bytes(b"half")
    (folder / SCALER_FOLDER).mkdir()
    for name in ("now.safetensors", "before.safetensors", ".now.safetensors.x.tmp"):
        (folder / SCALER_FOLDER / name).write_bytes(b"scaler")
    database = Database.of_session(folder)
    remove_session_leftovers(database, folder)  # they may be in the making
    assert len(names(folder, FOLDER, SCALER_FOLDER, WORK_FOLDER)) == 14
    with database.read() as db_session:
        found = find_session_leftovers(db_session, folder, grace_s=-1)
    assert size_of(found) > 0
    remove_session_leftovers(database, folder, grace_s=-1)
    assert names(folder, FOLDER) == ["run-1-2-0.safetensors", "run-1.json"]
    assert names(folder, SCALER_FOLDER) == ["now.safetensors"]
    assert names(folder, WORK_FOLDER) == ["run-1"]
    database.close()


def test_remove__arrays_whose_state_is_not_written_yet_stay(folder: Path) -> None:
    write_state(folder, 1, 1)
    state_path(folder, 1).unlink()
    database = Database.of_session(folder)
    remove_session_leftovers(database, folder, grace_s=-1)
    assert names(folder, FOLDER) == ["run-1-1-0.safetensors"]
    database.close()


class Meddled(Database):
    """Something happens each time a transaction was on the disk."""

    def __init__(self, url: str, meddle: Callable[[], None]) -> None:
        super().__init__(url, waits_for_disk=False)
        self._meddle = meddle

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        with super().write(durable=durable) as db_session:
            yield db_session
        if durable:
            self._meddle()


def test_remove__only_what_was_on_the_disk_as_unneeded_and_is_so_still(folder: Path) -> None:
    write_state(folder, 1, 1)
    write_state(folder, 2, 1)
    (folder / SCALER_FOLDER).mkdir()
    for name in ("now", "before", "earlier"):
        (folder / SCALER_FOLDER / f"{name}.safetensors").write_bytes(b"scaler")
    other = Database.of_session(folder)
    detector = ChangeDetector(other.engine)
    detector.changed()
    written: list[bool] = []

    def meddle() -> None:
        """Run 1 ends, the scaler of before is taken up again."""
        written.append(detector.changed())
        with other.write() as db_session:
            db_session.get_one(Run, 1).state = RunState.FINISHED
            db_session.get_one(SessionInfo, 1).scaler = {"hash": "before", "n_images": 1, "extractor": ""}

    database = Meddled(other.url, meddle)
    remove_session_leftovers(database, folder, grace_s=-1)
    # SQLite waits for the disk only where there was something to commit.
    assert written == [True]
    assert names(folder, FOLDER) == ["run-1-1-0.safetensors", "run-1.json"]
    assert names(folder, SCALER_FOLDER) == ["before.safetensors", "now.safetensors"]
    detector.close()
    database.close()
    other.close()


def test_remove__writers_are_not_kept_out_while_it_deletes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / WORK_FOLDER / "run-2").mkdir(parents=True)
    (folder / WORK_FOLDER / ".run-9.half.gone").mkdir()  # a process was killed
    write_state(folder, 2, 1)
    database = Database.of_session(folder)
    removed: list[str] = []
    rmtree, unlink = shutil.rmtree, Path.unlink

    def write_and_remove_tree(path: Path) -> None:
        write_meanwhile(folder)
        removed.append(path.name)
        rmtree(path)

    def write_and_unlink(path: Path, missing_ok: bool = False) -> None:
        write_meanwhile(folder)
        removed.append(path.name)
        unlink(path, missing_ok)

    monkeypatch.setattr(shutil, "rmtree", write_and_remove_tree)
    monkeypatch.setattr(Path, "unlink", write_and_unlink)
    remove_session_leftovers(database, folder, grace_s=-1)
    assert len(removed) == 4
    assert names(folder, FOLDER, WORK_FOLDER) == []
    database.close()


def write_meanwhile(folder: Path) -> None:
    """Fails at once where another writer is at work."""
    connection = sqlite3.connect(folder / "annotations.db", timeout=0, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    connection.close()


def test_size_of__what_goes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run-1/epochs").mkdir(parents=True)
    files = [tmp_path / name for name in ("run-1/plan.json", "run-1/epochs/1.bin", "run-2.json")]
    for number, path in enumerate(files):
        path.write_bytes(b"x" * 10**number)
    found = [tmp_path / name for name in ("run-1", "run-2.json", "run-3.json")]
    assert size_of(found) == 111
    stat = Path.stat

    def stat_and_lose(path: Path, **options: Any) -> os.stat_result:
        answer = stat(path, **options)
        if path in files:
            path.unlink(missing_ok=True)
        return answer

    monkeypatch.setattr(Path, "stat", stat_and_lose)
    assert size_of(found) <= 111
    assert size_of(found) == 0


def test_remove__killed_at_any_moment_what_is_needed_is_there(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WORK_FOR_EVER, str(folder)], cwd=ROOT)
    database = Database.of_session(folder)
    try:
        started = time.monotonic()
        while database_runs(database)[-1].id < 12:
            assert process.poll() is None
            assert time.monotonic() < started + LIMIT_S
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
        for _ in range(2):
            with database.read() as db_session:
                scaler = db_session.get_one(SessionInfo, 1).scaler
            assert scaler is not None
            assert (folder / SCALER_FOLDER / f"{scaler['hash']}.safetensors").is_file()
            for run in database_runs(database)[2:]:
                if run.state is RunState.SUSPENDED:
                    arrays = arrays_named_by(state_path(folder, run.id))
                    assert arrays is not None
                    assert (folder / FOLDER / arrays).is_file()
            remove_session_leftovers(database, folder, grace_s=-1)
        with database.read() as db_session:
            assert find_session_leftovers(db_session, folder, grace_s=-1) == []
    finally:
        process.kill()
        process.wait(LIMIT_S)
        database.close()


def database_runs(database: Database) -> list[Run]:
    with database.read() as db_session:
        return list(db_session.scalars(select(Run).order_by(Run.id)))


def test_record__a_scaler_that_was_removed_before_it_was_named_is_written_again(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    scalers = worker.keeper._shared_scaler
    write = scalers.write

    def write_and_lose() -> None:
        write()
        remove_session_leftovers(segmentation.db, segmentation.folder, grace_s=-1)

    scalers.write = write_and_lose  # type: ignore[method-assign]
    segmentation.click_halves(1)
    work_off(worker)
    record = segmentation.info().scaler
    assert record is not None
    assert (segmentation.folder / SCALER_FOLDER / f"{record['hash']}.safetensors").is_file()
    worker.close()
