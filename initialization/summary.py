"""What there is at the end of an initialization, and what to do next."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import func, select

from db.database import Database
from db.enums import FeatureState, ImageStatus
from db.tables.images import Image
from initialization.errors import SourceError
from initialization.file_changes import FileChanges
from initialization.report import Report, counted, format_bytes, format_duration
from models.base import ExtractorInfo
from models.feature_store import FeatureStore


def summarize(
    database: Database,
    session_dir: Path,
    info: ExtractorInfo,
    changes: FileChanges,
    started: float,
    report: Report,
    *,
    tells_next: bool = True,
) -> None:
    """The closing table.

    Raises:
        SourceError: not one image can be used; the reasons stand in the table.
    """
    with database.read() as db_session:
        states = dict(db_session.execute(select(Image.features, func.count()).group_by(Image.features)).all())
        failures = db_session.execute(
            select(Image.path, Image.failure).where(Image.features == FeatureState.FAILED).order_by(Image.id)
        )
        failed = [(path, failure or "unknown reason") for path, failure in failures]
        labelled = db_session.scalar(select(func.count()).select_from(Image).where(Image.status == ImageStatus.LABELED))
    size = sum(entry.size for entry in FeatureStore(session_dir, info).entries())
    pending = states.get(FeatureState.PENDING, 0)
    rows = [
        ("registered", counted(sum(states.values()), "image")),
        ("ready", f"{states.get(FeatureState.READY, 0):,}"),
        *([("pending", f"{pending:,}: made by `fewclick up` while you label")] if pending else []),
        *_changed_files(changes),
        ("failed", f"{len(failed):,}"),
        ("labelled", f"{labelled or 0:,}"),
        ("features", format_bytes(size)),
        ("took", format_duration(time.monotonic() - started)),
    ]
    is_usable = bool(pending or states.get(FeatureState.READY))
    report.summary(rows, failed, next_command(session_dir) if tells_next else None, is_usable=is_usable)
    if not is_usable:
        raise SourceError(
            f"found {counted(len(failed), 'image')}, and none that can be used: mend or replace what is listed above, "
            "then run the same command again"
        )


def _changed_files(changes: FileChanges) -> list[tuple[str, str]]:
    rows = []
    if changes.renewed:
        rows.append(("changed", f"{counted(len(changes.renewed), 'file')}: features made anew, annotations kept"))
    if changes.vanished:
        shown = ", ".join(changes.vanished[:3]) + ", ..." * (len(changes.vanished) > 3)
        rows.append(
            ("gone", f"{counted(len(changes.vanished), 'file')} ({shown}): images and annotations stay in the session")
        )
    return rows


def next_command(session_dir: Path) -> str:
    """What to run to start labelling."""
    try:
        shown = session_dir.relative_to(Path.cwd())
    except ValueError:
        shown = session_dir
    return "fewclick up" if str(shown) == "session" else f"fewclick up --session {shown}"
