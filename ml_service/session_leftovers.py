"""What runs and scalers leave behind that nothing refers to any more. Imports no torch.

A file without an owner may be in the making, so the young ones stay. What has an owner is asked for with the writers
kept out: no service can begin to refer to a file between the look and its removal.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.orm import Session

from db.database import Database
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
    """Remove them; a transaction that waited for the disk must have come before."""
    with database.write(durable=True) as db_session:
        for path in find_session_leftovers(db_session, session_dir, grace_s=grace_s):
            _remove(path)


def size_of(paths: Iterable[Path]) -> int:
    """Bytes, those of folders with all that is in them."""
    inside = (inner for path in paths for inner in (path.rglob("*") if path.is_dir() else (path,)))
    return sum(path.stat().st_size for path in inside if path.is_file())


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
    found = {path: path.name.removeprefix("run-") for path in _entries(session_dir / WORK_FOLDER)}
    folders = {path: int(number) for path, number in found.items() if number.isdecimal()}
    ended = set(ended_run_ids(db_session, folders.values()))
    return [path for path, run_id in folders.items() if run_id in ended]


def _is_half_written(path: Path) -> bool:
    return path.name.startswith(".")


def _is_older(path: Path, newest: float) -> bool:
    try:
        return path.stat().st_mtime <= newest
    except FileNotFoundError:
        return False


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s stays: %s", path, error)
