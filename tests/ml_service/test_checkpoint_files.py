"""Files and rows of checkpoints belong together, whenever a process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db.database import Database
from db.migrate import migrate
from db.queries.checkpoint_removal import prune_live_checkpoints, remove
from db.queries.session_info import TrainingSettings
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from ml_service.checkpoint_files import find_leftovers, has_file, remove_files, remove_unnamed_files
from models.base import ExtractorInfo
from tests.saved_checkpoints import put_checkpoint, rows_of

LIMIT_S = 60.0
ROOT = Path(__file__).resolve().parents[2]
SAVE_FOR_EVER = """
import sys
from pathlib import Path
from db.database import Database
from db.queries.checkpoint_removal import prune_live_checkpoints
from ml_service.checkpoint_files import remove_unnamed_files
from tests.saved_checkpoints import put_checkpoint

folder = Path(sys.argv[1])
database = Database.of_session(folder)
number = 0
while True:
    number += 1
    put_checkpoint(folder, database, f"live-{number}", ((number, 1), (number + 1, 2)))
    with database.write() as db_session:
        surplus = prune_live_checkpoints(db_session, 3)
    remove_unnamed_files(database, folder, surplus)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session without images."""
    database = Database(f"sqlite:///{tmp_path / 'annotations.db'}")
    migrate(database.engine)
    with database.write() as db_session:
        db_session.add(
            SessionInfo(
                name="cells", task=Task.CLASSIFICATION, image_root="images", config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=ExtractorInfo("toy", "0" * 16, 8, 8, 6, 5, 64).to_json(),
            )
        )  # fmt: skip
        db_session.add_all([LabelClass(name="a", color="#FF0000"), LabelClass(name="b", color="#00FF00")])
    database.close()
    return tmp_path


def snapshots(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints" / "data").iterdir())


def grow_old(folder: Path) -> None:
    for path in (folder / "checkpoints").rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))


def test_save__killed_at_any_moment_leaves_no_row_without_files(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, str(folder)], cwd=ROOT)
    database = Database.of_session(folder)
    try:
        started = time.monotonic()
        while len(rows_of(database)) < 3 or rows_of(database)[-1].id < 8:
            assert process.poll() is None
            assert time.monotonic() < started + LIMIT_S
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
        assert all(has_file(folder, row) for row in rows_of(database))
        with database.read() as db_session:
            leftovers = find_leftovers(db_session, folder, grace_s=-1)
        assert leftovers.rows == ()
        remove_files(leftovers.files)
        left = {path.name for path in (folder / "checkpoints").iterdir() if path.is_file()}
        assert left == {
            Path(row.path).with_suffix(end).name for row in rows_of(database) for end in (".safetensors", ".json")
        }
        assert {path.name for path in snapshots(folder)} == {f"{row.dataset_hash}.json.z" for row in rows_of(database)}
    finally:
        process.kill()
        process.wait(LIMIT_S)
        database.close()


def test_snapshots__are_shared_and_go_with_the_last_that_names_them(folder: Path) -> None:
    database = Database.of_session(folder)
    first, second = ((1, 1), (2, 2)), ((1, 1), (3, 2))
    for number, labels in enumerate((first, first, second)):
        put_checkpoint(folder, database, f"live-{number}", labels)
    assert len(snapshots(folder)) == 2
    grow_old(folder)
    for kept in (2, 1):
        with database.write() as db_session:
            paths = prune_live_checkpoints(db_session, kept)
        remove_unnamed_files(database, folder, paths)
        assert len(snapshots(folder)) == kept
    database.close()


def test_remove_unnamed_files__what_a_row_names_again_stays(folder: Path) -> None:
    database = Database.of_session(folder)
    put_checkpoint(folder, database, "live-1")
    (row,) = rows_of(database)
    remove_unnamed_files(database, folder, [row.path, "../annotations.db"])
    assert has_file(folder, row)
    assert (folder / "annotations.db").exists()
    with database.write() as db_session:
        paths = remove(db_session, rows_of(database))
    remove_unnamed_files(database, folder, paths)
    assert not has_file(folder, row)
    database.close()


def test_find_leftovers__what_is_young_may_be_in_the_making(folder: Path) -> None:
    database = Database.of_session(folder)
    put_checkpoint(folder, database, "live-1")
    with database.write() as db_session:
        remove(db_session, rows_of(database))
    with database.read() as db_session:
        assert find_leftovers(db_session, folder).files == ()
        grow_old(folder)
        assert len(find_leftovers(db_session, folder).files) == 3
    database.close()
