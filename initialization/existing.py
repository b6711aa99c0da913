"""What stands in the session folder already, and whether it is safe to go on there."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.database import DATABASE_FILE_NAME, URL_VARIABLE, Database, database_url
from db.enums import FeatureState, ImageStatus, Origin
from db.migrate import migrate
from db.queries.classes import list_classes
from db.tables.annotations import ANNOTATION_TABLES
from db.tables.images import Image
from db.tables.learning import Checkpoint
from db.tables.processes import Worker
from db.tables.session import SessionInfo
from initialization.config import SessionConfig
from initialization.errors import SessionExistsError
from initialization.sources import Source
from models.base import ExtractorInfo
from models.extractor_settings import is_of_earlier_version, tell_differences
from models.preprocessing import preprocessing_of

LIVE_WORKER = dt.timedelta(seconds=5)


@dataclass(frozen=True)
class ExistingSession:
    """What an earlier initialization and the work since then have left."""

    task: str
    image_root: str
    config: dict[str, Any]
    extractor: dict[str, Any]
    annotated: int
    """Images that a person has said something about; imported labels do not count while nobody changed them."""
    imported: int
    """Images whose annotation is what labels_dir gave."""
    labelled: int
    """Of all images: fewer than are annotated where some were skipped, or a label was taken off again."""
    class_names: tuple[str, ...]
    """In their order, without removed ones: people change them on the page."""
    checkpoints: int
    live_workers: int
    ready_paths: frozenset[str]
    """Images whose features can be used."""


def find_session(session_dir: Path) -> ExistingSession | None:
    """The session in the folder (or in the database that FEWCLICK_DATABASE_URL names); None if there is none yet."""
    if URL_VARIABLE not in os.environ and not (session_dir / DATABASE_FILE_NAME).is_file():
        return None
    database = Database(database_url(session_dir))
    try:
        migrate(database.engine)
        with database.read() as db_session:
            info = db_session.get(SessionInfo, 1)
            return None if info is None else _describe(db_session, info)
    finally:
        database.close()


def _describe(db_session: Session, info: SessionInfo) -> ExistingSession:
    imported_only = and_(
        Image.revision == 1,
        or_(
            *(
                Image.id.in_(select(table.image_id).where(table.origin == Origin.IMPORTED))
                for table in ANNOTATION_TABLES
            )
        ),
    )
    changed = db_session.scalar(select(func.count()).select_from(Image).where(Image.revision > 0)) or 0
    imported = db_session.scalar(select(func.count()).select_from(Image).where(imported_only)) or 0
    alive_since = utc_now() - LIVE_WORKER
    ready = db_session.scalars(select(Image.path).where(Image.features == FeatureState.READY))
    return ExistingSession(
        task=info.task.name,
        image_root=info.image_root,
        config=info.config,
        extractor=info.extractor,
        annotated=changed - imported,
        imported=imported,
        labelled=db_session.scalar(select(func.count()).select_from(Image).where(Image.status == ImageStatus.LABELED))
        or 0,
        class_names=tuple(label_class.name for label_class in list_classes(db_session)),
        checkpoints=db_session.scalar(select(func.count()).select_from(Checkpoint)) or 0,
        live_workers=db_session.scalar(
            select(func.count()).select_from(Worker).where(Worker.heartbeat_at > alive_since)
        )
        or 0,
        ready_paths=frozenset(ready),
    )


def check_can_continue(
    existing: ExistingSession, session_dir: Path, config: SessionConfig, source: Source, *, append: bool
) -> None:
    """Refuse to touch a session that people have worked in, or that was made from other settings.

    Raises:
        SessionExistsError: names what was found and the ways out.
    """
    different = _differences(existing, session_dir, config, source)
    if different:
        raise SessionExistsError(
            f"session {session_dir} was made with other settings: {'; '.join(different)}. Put the old values back, "
            "name another session_dir, or add --move-aside to keep the old session under another name and start anew"
        )
    if existing.annotated and not append:
        kept = f"annotations of {_count(existing.annotated, 'image')}"
        if existing.checkpoints:
            kept += f" and {_count(existing.checkpoints, 'checkpoint')}"
        raise SessionExistsError(
            f"session {session_dir} holds {kept}: add --append to keep them and add new images, or --move-aside to "
            "keep the old session under another name and start anew"
        )


def check_extractor(existing: ExistingSession, session_dir: Path, info: ExtractorInfo) -> None:
    """Refuse to mix features that cannot be compared.

    Raises:
        SessionExistsError: names what differs and the ways out.
    """
    stored = ExtractorInfo.from_json(existing.extractor)
    differences = tell_differences(stored, info)
    if not differences:
        return
    if replace(stored, options={}) == replace(info, options={}):
        _check_preprocessing(existing, session_dir, info)
    if is_of_earlier_version(stored, info):
        what = f"holds features that an earlier version of Fewclick made ({differences}): add"
    else:
        what = (
            f"holds features of another extractor than this config gives ({differences}): put extractor, weights_path, "
            "layers and resize back, or add"
        )
    raise SessionExistsError(
        f"session {session_dir} {what} --change-extractor to keep all annotations and make the features anew, or "
        "--move-aside to keep the old session under another name and start anew"
    )


def check_can_change_extractor(existing: ExistingSession, session_dir: Path, info: ExtractorInfo) -> None:
    """Refuse to take features away from who works with them, or to change what annotations mean.

    Raises:
        SessionExistsError: names the way out.
    """
    _check_preprocessing(existing, session_dir, info)
    if existing.live_workers:
        raise SessionExistsError(
            f"--change-extractor: a service is at work on session {session_dir}: stop it, then run this again"
        )


def _check_preprocessing(existing: ExistingSession, session_dir: Path, info: ExtractorInfo) -> None:
    found, wanted = preprocessing_of(existing.extractor["options"]), preprocessing_of(info.options)
    if found != wanted:
        raise SessionExistsError(
            f"session {session_dir} was made with preprocessing {json.dumps(found.to_json())}, this config gives "
            f"{json.dumps(wanted.to_json())}: annotations and features belong to the former. Put it back, name another "
            "session_dir, or add --move-aside to keep the old session under another name and start anew"
        )


def check_can_move(existing: ExistingSession | None, session_dir: Path) -> None:
    """Refuse to move what is in use or what does not lie in the folder.

    Raises:
        SessionExistsError: names the way out.
    """
    if URL_VARIABLE in os.environ and existing is not None:
        raise SessionExistsError(
            f"--move-aside moves the folder {session_dir}, but {URL_VARIABLE} names another database, which holds a "
            "session: name an empty database"
        )
    if existing is not None and existing.live_workers:
        raise SessionExistsError(f"an ML service is at work on session {session_dir}: stop it, then run this again")


def move_aside(session_dir: Path) -> Path:
    """Give the session folder another name with the time in it; returns the new path."""
    stamp = dt.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    target = session_dir.with_name(f"{session_dir.name}.{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = session_dir.with_name(f"{session_dir.name}.{stamp}-{number}")
    session_dir.rename(target)
    return target


def image_root_for(root: Path, session_dir: Path) -> str:
    """The image root as the session row keeps it: relative to the session folder, so that both can move together."""
    try:
        return os.path.relpath(root.resolve(), session_dir.resolve())
    except ValueError:  # on another Windows drive
        return str(root.resolve())


def _differences(existing: ExistingSession, session_dir: Path, config: SessionConfig, source: Source) -> list[str]:
    different = []
    if existing.task != config.task.name:
        different.append(f"task is {existing.task}, found {config.task.name}")
    root = source.root(session_dir)
    found_root = (session_dir / existing.image_root).resolve()
    # A source that is unpacked or downloaded always has the same root; what it was unpacked from tells it apart.
    source_then = existing.config.get("image_dir")
    if found_root != root.resolve():
        different.append(f"the images lie in {found_root}, found {root.resolve()}")
    elif root.is_relative_to(session_dir) and source_then not in (source.identity, str(config.image_dir)):
        different.append(f"image_dir is {source_then}, found {source.identity}")
    return different


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)
