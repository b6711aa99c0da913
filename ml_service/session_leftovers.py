"""What runs and scalers leave behind that nothing refers to any more. Imports no torch.

A file without an owner may be in the making, so the young ones stay. What has an owner goes in three steps:

1. It is chosen in a transaction that waits for the disk, so that no power failure brings the owner back.
2. It gets a name that nobody refers to, if it is unneeded still and with the writers kept out: no service can begin to
   refer to it between the look and the new name.
3. It is deleted, which may take its time: nobody waits for that.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from db.database import Database
from db.queries.run_removal import wait_for_disk
from db.queries.runs import ended_run_ids
from db.queries.session_info import get_session_info
from ml_service.data_snapshot import GRACE_S
from ml_service.run_files import arrays_named_by, run_files, run_of, saved_run_ids, state_path
from models.adapter_files import FOLDER as ADAPTER_FOLDER

SCALER_FOLDER = "scalers"
WORK_FOLDER = f"{ADAPTER_FOLDER}/work"
"""Of runs that fine-tune: a folder each."""

logger = logging.getLogger(__name__)


def find_session_leftovers(db_session: Session, session_dir: Path, *, grace_s: float = GRACE_S) -> list[Path]:
    """Files and folders that go: the state of runs that have ended, scalers but the one in force, what is half written.

    Args:
        grace_s: What is younger stays.
    """
    newest = time.time() - grace_s
    found = [
        *_run_leftovers(db_session, session_dir),
        *_scaler_leftovers(db_session, session_dir),
        *_work_leftovers(db_session, session_dir),
    ]
    return [path for path in found if _is_older(path, newest)]


def remove_session_leftovers(database: Database, session_dir: Path, *, grace_s: float = GRACE_S) -> None:
    """Find and remove them.

    Raises:
        OSError: a folder cannot be read.
        OperationalError: the database is out of reach, or the disk full.
    """
    with database.write(durable=True) as db_session:
        found = find_session_leftovers(db_session, session_dir, grace_s=grace_s)
        if found:
            wait_for_disk(db_session)
    remove_found(database, session_dir, found, grace_s=grace_s)


def remove_found(database: Database, session_dir: Path, found: Sequence[Path], *, grace_s: float = GRACE_S) -> None:
    """Remove what nothing has come to need since it was found. One that cannot be removed is logged.

    Args:
        found: by `find_session_leftovers` in a durable transaction that had something to commit (`wait_for_disk`).
    """
    if not found:
        return
    with database.write() as db_session:
        unneeded = set(find_session_leftovers(db_session, session_dir, grace_s=grace_s))
        aside = [_put_aside(path) for path in found if path in unneeded]
    for path in aside:
        if path is not None:
            _remove(path)


def size_of(paths: Iterable[Path]) -> int:
    """Bytes, those of folders with all that is in them. What goes meanwhile does not count."""
    return sum(_file_size(file) for path in paths for file in (path, *_files_in(path)))


def _run_leftovers(db_session: Session, session_dir: Path) -> list[Path]:
    ended = set(ended_run_ids(db_session, saved_run_ids(session_dir)))
    return [path for path in run_files(session_dir) if _is_half_written(path) or _is_unneeded(session_dir, path, ended)]


def _is_unneeded(session_dir: Path, path: Path, ended: set[int]) -> bool:
    run_id = run_of(path)
    if run_id is None or run_id in ended:
        return run_id is not None
    state = state_path(session_dir, run_id)
    # Before the state is there nobody knows which arrays it will name.
    return path != state and arrays_named_by(state) not in (None, path.name)


def _scaler_leftovers(db_session: Session, session_dir: Path) -> list[Path]:
    scaler = get_session_info(db_session).scaler
    in_force = None if scaler is None else scaler["hash"]
    return [path for path in _entries(session_dir / SCALER_FOLDER) if path.name.partition(".")[0] != in_force]


def _work_leftovers(db_session: Session, session_dir: Path) -> list[Path]:
    entries = _entries(session_dir / WORK_FOLDER)
    found = {path: path.name.removeprefix("run-") for path in entries}
    folders = {path: int(number) for path, number in found.items() if number.isdecimal()}
    ended = set(ended_run_ids(db_session, folders.values()))
    return [path for path in entries if _is_half_written(path) or folders.get(path) in ended]


def _is_half_written(path: Path) -> bool:
    """Or put aside, by a process that was killed before it was deleted."""
    return path.name.startswith(".")


def _is_older(path: Path, newest: float) -> bool:
    try:
        return path.stat().st_mtime <= newest
    except FileNotFoundError:
        return False


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files_in(folder: Path) -> Iterator[Path]:
    """At any depth; none where it is a file, or gone."""
    for parent, _folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _file_size(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _put_aside(path: Path) -> Path | None:
    """Its new name; None, with a line in the log, where it cannot be given one."""
    if _is_half_written(path):
        return path
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.gone")
    try:
        return path.rename(aside)
    except OSError as error:
        logger.warning("%s stays: %s", path, error)
        return None


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s stays: %s", path, error)
