"""What a session is and how far it is, in a few quick reads, also of one that no process has open."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.orm import Session

from db.database import DATABASE_FILE_NAME
from db.enums import FeatureState, ImageStatus
from db.errors import SessionNotFoundError
from db.queries.stats import count_by_status, count_unusable
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task

PREVIEWS = 5


@dataclass(frozen=True)
class SessionOverview:
    """One session, for a list of them."""

    name: str
    task: Task
    created_at: dt.datetime
    changed_at: dt.datetime | None
    """Of the last annotation; None before the first."""
    by_status: dict[ImageStatus, int]
    """Images; without unlabelled ones that cannot be used."""
    classes: int
    preview_ids: tuple[int, ...]
    """Some images that can be shown."""


def read_overview(db_session: Session) -> SessionOverview:
    """Of the session of this database; reads no table or column that earlier versions had not.

    Raises:
        SessionNotFoundError: it holds none yet.
    """
    info = db_session.execute(select(SessionInfo.name, SessionInfo.task, SessionInfo.created_at)).first()
    if info is None:
        raise SessionNotFoundError("the database holds no session yet: run init_session.py first")
    by_status = count_by_status(db_session)
    unlabelled = by_status.get(ImageStatus.UNLABELED, 0) - count_unusable(db_session)
    newest = select(AnnotationState.created_at).order_by(AnnotationState.id.desc()).limit(1)
    present = select(func.count()).select_from(LabelClass).where(LabelClass.removed_at.is_(None))
    usable = select(Image.id).where(Image.features != FeatureState.FAILED, Image.width.is_not(None))
    return SessionOverview(
        name=info.name,
        task=info.task,
        created_at=info.created_at,
        changed_at=db_session.scalar(newest),
        by_status=by_status | {ImageStatus.UNLABELED: unlabelled},
        classes=db_session.scalar(present) or 0,
        preview_ids=tuple(db_session.scalars(usable.order_by(Image.id).limit(PREVIEWS))),
    )


@contextmanager
def open_read_only(session_dir: Path) -> Iterator[Session]:
    """A database session on the SQLite file of a folder that changes nothing there, whatever version made it."""
    path = session_dir / DATABASE_FILE_NAME
    # Without a log beside it nobody writes: then not even the files are made that readers and writers share.
    how = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    address = f"file:{quote(str(path.resolve()))}?{how}"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True, timeout=1), poolclass=NullPool
    )
    try:
        with Session(engine) as db_session:
            yield db_session
    finally:
        engine.dispose()


def session_folders(root: Path) -> list[Path]:
    """The folders right below one that hold a session, the one changed last first."""
    found = [path for path in root.iterdir() if not path.name.startswith(".") and (path / DATABASE_FILE_NAME).is_file()]
    return sorted(found, key=lambda path: -(path / DATABASE_FILE_NAME).stat().st_mtime)
