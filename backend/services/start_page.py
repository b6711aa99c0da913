"""The sessions that a person can open: those of this server, and those in the folder of sessions."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from backend.context import AppContext
from backend.schemas.start import FoundSession, SessionProgress, StartPage
from backend.settings import Sibling
from db.enums import ImageStatus
from db.errors import FewclickError
from db.queries.overview import SessionOverview, open_read_only, read_overview, session_folders
from db.session_dir import DEFAULT_NAME

MOST = 60
THUMBNAIL_SIZE = 160


def read_start_page(context: AppContext) -> StartPage:
    """All of them, each read on its own: one that cannot be read does not hide the others."""
    settings = context.settings
    served = [_served(context, sibling) for sibling in settings.sessions] or [_own(context, "./", settings.session_dir)]
    root = settings.sessions_root
    if root is None:
        return StartPage(sessions=served, more=0, has_root=False)
    known = {settings.session_dir, *(sibling.session_dir for sibling in settings.sessions)}
    folders = [folder for folder in _folders(root) if folder.resolve() not in known]
    return StartPage(
        sessions=[*served, *(_closed(folder) for folder in folders[:MOST])],
        more=max(len(folders) - MOST, 0),
        has_root=True,
    )


def _called(folder: Path) -> str:
    """Its name; with the folder above where the name alone tells no session from another."""
    return f"{folder.parent.name}/{folder.name}" if folder.name == DEFAULT_NAME else folder.name


def _folders(root: Path) -> list[Path]:
    try:
        return session_folders(root)
    except OSError:
        return []  # it is told apart by `has_root`, and may be there again the next time


def _served(context: AppContext, sibling: Sibling) -> FoundSession:
    if sibling.current or sibling.session_dir is None:
        return _own(context, sibling.url, context.settings.session_dir)
    return _of_folder(sibling.session_dir, url=sibling.url)


def _own(context: AppContext, url: str, folder: Path) -> FoundSession:
    with context.database.read() as db_session:
        overview = read_overview(db_session)
    return _found(folder, overview, url=url, is_current=True)


def _closed(folder: Path) -> FoundSession:
    return _of_folder(folder, command=f"fewclick up --session {shlex.quote(_shown(folder))}")


def _of_folder(folder: Path, *, url: str | None = None, command: str | None = None) -> FoundSession:
    try:
        with open_read_only(folder) as db_session:
            return _found(folder, read_overview(db_session), url=url, command=command)
    except FewclickError as error:
        return _unreadable(folder, str(error), url=url, command=command)
    except SQLAlchemyError:
        return _unreadable(folder, "its database cannot be read", url=url, command=command)
    except (LookupError, ValueError):
        reason = "it holds values that this version of Fewclick does not know: open it with the version that wrote them"
        return _unreadable(folder, reason, url=url, command=command)


def _unreadable(folder: Path, reason: str, *, url: str | None, command: str | None) -> FoundSession:
    return FoundSession(
        folder=_called(folder), url=url, current=False, command=command, progress=None, problem=reason, thumbnails=[]
    )


def _found(
    folder: Path, overview: SessionOverview, *, url: str | None, command: str | None = None, is_current: bool = False
) -> FoundSession:
    count = {status.value: overview.by_status.get(status, 0) for status in ImageStatus}
    return FoundSession(
        folder=_called(folder),
        url=url,
        current=is_current,
        command=command,
        progress=SessionProgress(
            name=overview.name,
            task=overview.task,
            created_at=overview.created_at,
            changed_at=overview.changed_at,
            images=sum(count.values()),
            labeled=count[ImageStatus.LABELED],
            skipped=count[ImageStatus.SKIPPED],
            undetermined=count[ImageStatus.UNDETERMINED],
            classes=overview.classes,
        ),
        problem=None,
        thumbnails=[]
        if url is None
        else [f"{url}api/images/{image_id}/thumbnail?size={THUMBNAIL_SIZE}" for image_id in overview.preview_ids],
    )


def _shown(folder: Path) -> str:
    """From where the server was started, if that is near; else as seen from the folder of sessions.

    A way up to the root of the file system would tell clients the whole path, which is none of their business.
    """
    relative = os.path.relpath(folder.resolve())
    return folder.name if relative.startswith("../../") else relative
