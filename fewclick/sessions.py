"""The sessions that one `fewclick up` offers: their folders, names and addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.database import URL_VARIABLE, Database
from db.errors import InvalidInputError, SessionNotFoundError
from db.queries.overview import session_folders
from db.queries.session_info import get_session_info
from db.tasks import Task


@dataclass(frozen=True)
class SessionMount:
    """A session and where it is served."""

    session_dir: Path
    name: str
    slug: str
    """Part of the address: lower-case letters, digits and hyphens; unique among the sessions of one port."""
    task: Task

    @property
    def url(self) -> str:
        """Path of the page below the server's root."""
        return f"/s/{self.slug}/"


def describe_sessions(session_dirs: Sequence[Path]) -> list[SessionMount]:
    """Read name and task of each session.

    Raises:
        SessionNotFoundError: a folder holds no session.
        InvalidInputError: a folder is named twice, or several share the one database of FEWCLICK_DATABASE_URL.
    """
    resolved = [session_dir.expanduser().resolve() for session_dir in session_dirs]
    for session_dir in resolved:
        if resolved.count(session_dir) > 1:
            raise InvalidInputError(f"session {session_dir} is named twice: name each folder once")
    if len(resolved) > 1 and os.environ.get(URL_VARIABLE):
        raise InvalidInputError(
            f"{URL_VARIABLE} names one database, but {len(resolved)} sessions are asked for, which need one each: "
            f"unset {URL_VARIABLE} or name one session"
        )
    mounts: list[SessionMount] = []
    for session_dir in resolved:
        mounts.append(_describe(session_dir, taken={mount.slug for mount in mounts}))
    return mounts


def newest_session(root: Path) -> Path:
    """The session of a folder of sessions that was changed last.

    Raises:
        SessionNotFoundError: it holds none.
    """
    found = session_folders(root)
    if not found:
        raise SessionNotFoundError(
            f"no session in the folders right below {root}: name a folder of sessions with --sessions-root, or one "
            "session with --session"
        )
    return found[0]


def slug_of(name: str, taken: set[str]) -> str:
    """`name` as part of an address, numbered where it is taken."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "session"
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


def _describe(session_dir: Path, taken: set[str]) -> SessionMount:
    database = Database.of_session(session_dir)
    try:
        with database.read() as db_session:
            info = get_session_info(db_session)
            return SessionMount(session_dir, info.name, slug_of(info.name, taken), info.task)
    finally:
        database.close()
