"""Files that changed or vanished since their images were registered: noticed by size and time, then by hash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.database import Database
from db.enums import FeatureState
from db.queries.extraction_results import Taken, take_file
from db.tables.images import Image
from db.tables.learning import Prediction
from initialization.inspection import FileFacts, inspect_file
from initialization.register import BATCH, THREADS
from models.preprocessing import DEFAULT, Preprocessing


@dataclass
class FileChanges:
    """What became of the files of images that had been registered before."""

    renewed: list[str] = field(default_factory=list)
    """Other content: the features are to be made anew, annotations stay."""
    refused: list[str] = field(default_factory=list)
    """Unreadable now, or of another size than their annotations: failed with the reason, annotations stay."""
    vanished: list[str] = field(default_factory=list)
    """No longer there; their rows stay as they are."""


@dataclass(frozen=True)
class _Known:
    """A row whose features are ready, or that has a file at least."""

    id: int
    path: str
    facts: FileFacts
    is_ready: bool


def notice_changes(database: Database, root: Path, preprocessing: Preprocessing = DEFAULT) -> FileChanges:
    """Compare every registered image with its file; images still without features are left to the extraction."""
    found = FileChanges()
    suspects = []
    for known in _known(database):
        try:
            (root / known.path).stat()
        except OSError:
            found.vanished.append(known.path)
            continue
        if known.is_ready and (known.facts.file_size is None or not known.facts.fits(root / known.path)):
            suspects.append(known)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="changes") as pool:
        for batch in _batches(suspects):
            facts = pool.map(lambda known: inspect_file(root / known.path, preprocessing), batch)
            pairs = list(zip(batch, facts, strict=True))
            with database.write() as db_session:
                for known, fresh in pairs:
                    _apply(db_session, known, fresh, found)
    return found


def _known(database: Database) -> list[_Known]:
    columns = (
        Image.id, Image.path, Image.content_hash, Image.width, Image.height, Image.file_size, Image.file_mtime_ns,
        Image.features,
    )  # fmt: skip
    with database.read() as db_session:
        rows = db_session.execute(select(*columns).where(Image.content_hash.is_not(None)).order_by(Image.id)).all()
    return [
        _Known(
            row.id,
            row.path,
            FileFacts(row.content_hash, row.width, row.height, row.file_size, row.file_mtime_ns),
            is_ready=row.features is FeatureState.READY,
        )
        for row in rows
    ]


def _apply(db_session: Session, known: _Known, fresh: FileFacts, found: FileChanges) -> None:
    # Minutes may lie between the look and this: what somebody else has found out since stands.
    which = (Image.id == known.id, Image.content_hash == known.facts.content_hash)
    seen = {"file_size": fresh.file_size, "file_mtime_ns": fresh.file_mtime_ns}
    if fresh.content_hash == known.facts.content_hash:  # only touched
        db_session.execute(update(Image).where(*which).values(seen))
        return
    if fresh.failure is not None:
        # Hash and size stay those that the annotations belong to: with the old file back, all is as it was.
        failed = {"features": FeatureState.FAILED, "failure": fresh.failure}
        db_session.execute(update(Image).where(*which).values(failed))
        found.refused.append(known.path)
        return
    values = {
        "content_hash": fresh.content_hash,
        "width": fresh.width,
        "height": fresh.height,
        "features": FeatureState.PENDING,
        "pooled_ready": False,
        "predicted_version": 0,
        "uncertainty": None,
        "predicted_class_id": None,
    }
    taken = take_file(db_session, which, seen | values)
    if taken is Taken.REFUSED:
        found.refused.append(known.path)
    elif taken is Taken.TAKEN:
        found.renewed.append(known.path)
        # It was of the old picture; the ML service removes the map that nothing names any more.
        db_session.execute(delete(Prediction).where(Prediction.image_id == known.id))


def _batches(known: Sequence[_Known]) -> Iterator[Sequence[_Known]]:
    return (known[start : start + BATCH] for start in range(0, len(known), BATCH))
