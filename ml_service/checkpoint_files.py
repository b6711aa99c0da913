"""The files of checkpoints and their rows: which of the two is there without the other, and their removal.

Files are written before their row, and removed after a commit without it that waited for the disk
(`Database.write(durable=True)`). A process that is killed in between, or a power failure, leaves files without a row,
never a row without files. Imports no torch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from db.database import Database
from db.enums import CheckpointKind
from db.queries.checkpoints import list_checkpoints, named_datasets, named_paths
from db.tables.learning import Checkpoint
from ml_service.checkpoint_description import FOLDER, locate
from ml_service.data_snapshot import GRACE_S, find_snapshots
from ml_service.errors import CheckpointError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leftovers:
    """What does not belong together."""

    files: tuple[Path, ...]
    """Without a row: heads, snapshots, and what was left half written."""
    rows: tuple[int, ...]
    """Ids of checkpoints whose file is gone."""


def find_leftovers(db_session: Session, session_dir: Path, *, grace_s: float = GRACE_S) -> Leftovers:
    """Files without a row and rows without a file.

    Args:
        grace_s: files younger than this may be in the making, and are left out.
    """
    folder = session_dir / FOLDER
    newest = time.time() - grace_s
    # The files first: a row that is written meanwhile then names files that were seen, not the other way round.
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    old = [path for path in files if path.stat().st_mtime <= newest]
    unused_snapshots = find_snapshots(session_dir, named_datasets(db_session), grace_s=grace_s).unused
    named = {Path(path).with_suffix("").name for path in named_paths(db_session)}
    unused = [path for path in old if path.name.startswith(".") or path.with_suffix("").name not in named]
    gone = [c.id for c in list_checkpoints(db_session) if not has_file(session_dir, c)]
    return Leftovers((*unused, *unused_snapshots), tuple(gone))


def has_file(session_dir: Path, checkpoint: Checkpoint) -> bool:
    """Whether both files of a checkpoint are there."""
    try:
        # An adapter is looked after by adoption, and lies elsewhere.
        is_adapter = checkpoint.kind is CheckpointKind.ADAPTER
        target = session_dir / checkpoint.path if is_adapter else locate(session_dir, checkpoint.path)
    except CheckpointError:
        return False
    return target.is_file() and target.with_suffix(".json").is_file()


def remove_unnamed_files(database: Database, session_dir: Path, paths: Sequence[str]) -> None:
    """Remove the files of checkpoints that no row names any more, and the snapshots that only they named.

    The transaction that removed the rows must have been a durable one.

    One that cannot be removed only takes space: it is logged, and `fewclick checkpoints prune` finds it again.
    """
    if not paths:
        return
    with database.read() as db_session:
        named, datasets = named_paths(db_session), named_datasets(db_session)
    for path in paths:
        if path not in named:
            _remove_pair(session_dir, path)
    for snapshot in find_snapshots(session_dir, datasets).unused:
        _unlink(snapshot)


def remove_files(files: Sequence[Path]) -> None:
    """Remove files that `find_leftovers` found."""
    for path in files:
        _unlink(path)


def _remove_pair(session_dir: Path, path: str) -> None:
    try:
        target = locate(session_dir, path)
    except CheckpointError as error:
        logger.warning("not removed: %s", error)
        return
    _unlink(target)
    _unlink(target.with_suffix(".json"))


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s stays: %s", path, error)
