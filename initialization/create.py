"""The session folder, its database, and the row that says what the session is."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.database import Database, database_url
from db.migrate import migrate
from db.queries.adoption import use_extractor
from db.queries.class_tree import number as number_tree
from db.queries.head_trail import TRAIL_KEY
from db.queries.session_info import ADAPTER_BASE_KEY, get_session_info
from db.tables.session import LabelClass, SessionInfo
from initialization.config import SessionConfig
from initialization.errors import ConfigError, SessionExistsError
from initialization.existing import ExistingSession, image_root_for
from initialization.sources import Source
from models.base import ExtractorInfo

LOCK_NAME = ".init.lock"
EXTRACTOR_KEYS = (
    "extractor", "weights_path", "dinov3_repo", "adapter_path", "layers", "resize", "features_form", "features_storage",
    "features_dir",
)  # fmt: skip
"""What says how features are made and kept."""


def check_writable(session_dir: Path) -> None:
    """Find out early whether the session folder can be made and written, without leaving anything behind.

    Raises:
        ConfigError: it cannot.
    """
    folder = next(parent for parent in (session_dir, *session_dir.parents) if parent.exists())
    if not folder.is_dir():
        raise ConfigError(f"session_dir: {session_dir} cannot be made, {folder} is a file: name another folder")
    probe = folder / f".fewclick-probe-{id(session_dir)}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise ConfigError(
            f"session_dir: {session_dir} cannot be written ({error.strerror} in {folder}): name another folder in the "
            "config, set FEWCLICK_SESSION, or allow writing"
        ) from error


@contextmanager
def exclusive(session_dir: Path) -> Iterator[None]:
    """Keep a second initialization out of the folder; the system frees it however this process ends.

    Raises:
        SessionExistsError: another one is at work.
    """
    session_dir.mkdir(parents=True, exist_ok=True)
    with (session_dir / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SessionExistsError(
                f"another initialization is at work on session {session_dir}: wait for its end, or stop it"
            ) from error
        yield


def open_session(
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    info: ExtractorInfo,
    existing: ExistingSession | None,
) -> Database:
    """The database of the session, created if need be.

    Settings that changed since the session was made take effect as long as nothing is annotated; after that, the
    classes and parameters in the database are the truth, as people change them on the page. Where the same weights lie
    now is taken over at any time.
    """
    database = Database(database_url(session_dir))
    migrate(database.engine)
    with database.write() as db_session:
        row = db_session.get(SessionInfo, 1)
        if row is None:
            _create(db_session, session_dir, config, source, info)
        elif existing is None or not existing.annotated + existing.imported:
            _apply_changes(db_session, row, config)
        elif _is_of(row, info):
            _tell_place(row, config)
    return database


def change_extractor(database: Database, config: SessionConfig, info: ExtractorInfo) -> None:
    """Have a session go on with another extractor: annotations stay, all features are to be made, or found again.

    Nothing on the disk is removed: features of the old extractor are there for a change back, until they are pruned.
    """
    with database.write() as db_session:
        row = get_session_info(db_session)
        _tell_place(row, config)
        if _is_of(row, info):
            return
        use_extractor(db_session, info.to_json())


NO_SETTINGS = (ADAPTER_BASE_KEY, TRAIL_KEY)
"""What stands in `SessionInfo.config` beside the settings of the YAML file."""


def stored_config(config: SessionConfig) -> dict[str, Any]:
    """The settings as plain JSON values, for the session row."""
    return config.model_dump(mode="json")


def restored_config(stored: Mapping[str, Any]) -> SessionConfig:
    """The settings that a session was made with; what they name may be gone by now.

    Raises:
        ConfigError: the session row holds none that this version understands.
    """
    try:
        return SessionConfig.model_validate({key: value for key, value in stored.items() if key not in NO_SETTINGS})
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(
            f"the session's stored settings cannot be used ({key}: {problem['msg']}): run init_session.py --append "
            "with the YAML file of this session"
        ) from error


def _create(db_session: Session, session_dir: Path, config: SessionConfig, source: Source, info: ExtractorInfo) -> None:
    db_session.add(
        SessionInfo(
            name=config.session_name,
            task=config.task,
            image_root=image_root_for(source.root(session_dir), session_dir),
            config=stored_config(config),
            training=config.training_settings().model_dump(mode="json"),
            extractor=info.to_json(),
        )
    )
    _add_classes(db_session, config)


def _is_of(row: SessionInfo, info: ExtractorInfo) -> bool:
    return bool(row.extractor == json.loads(json.dumps(info.to_json())))


def _tell_place(row: SessionInfo, config: SessionConfig) -> None:
    """Where the extractor and its features are found from now on: the same weights may lie elsewhere."""
    stored = stored_config(config)
    row.config = {**row.config, **{key: stored[key] for key in EXTRACTOR_KEYS}}


def _apply_changes(db_session: Session, row: SessionInfo, config: SessionConfig) -> None:
    new, old = stored_config(config), row.config
    if new == old:
        return
    # Earlier versions knew neither groups nor parents: that alone is no change.
    known = [{"group": None, "parent": None, **entry} for entry in old.get("classes", ())]
    if new["classes"] != known:
        db_session.execute(delete(LabelClass))
        _add_classes(db_session, config)
    changed = {key: new[key] for key in row.training if key in new and new[key] != old.get(key)}
    row.training = {**row.training, **changed}
    row.name = config.session_name
    kept = {key: old[key] for key in NO_SETTINGS if key in old}
    row.config = new | kept


def _add_classes(db_session: Session, config: SessionConfig) -> None:
    # Capitals make no other group.
    spelling: dict[str, str] = {}
    ids = {entry.name: number for number, entry in enumerate(config.classes, start=1)}
    for position, entry in enumerate(config.classes):
        group = None if entry.group is None else spelling.setdefault(entry.group.casefold(), entry.group)
        db_session.add(
            LabelClass(
                id=position + 1,
                name=entry.name,
                color=entry.color,
                position=position,
                exclusive_group=group,
                parent_id=None if entry.parent is None else ids[entry.parent],
            )
        )
    db_session.flush()
    number_tree(db_session)
