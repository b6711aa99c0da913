"""The sessions that a person can open."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from backend.schemas.base import ResponseModel
from db.tasks import Task


class SessionProgress(ResponseModel):
    """How far a session is."""

    name: str
    task: Task
    created_at: dt.datetime
    changed_at: dt.datetime | None = Field(description="of the last annotation; null before the first")
    images: int = Field(description="without those that cannot be used")
    labeled: int
    skipped: int
    undetermined: int
    classes: int


class FoundSession(ResponseModel):
    """A session on this port, or in the folder of sessions."""

    folder: str = Field(description="name of its folder")
    url: str | None = Field(
        description="of its page, relative to the server's root; null: this server does not serve it"
    )
    current: bool = Field(description="whether this is the one that answered")
    command: str | None = Field(
        description="that opens it, to run where this server was started, or with a bare name in the folder of "
        "sessions; null: it is open"
    )
    progress: SessionProgress | None
    problem: str | None = Field(description="why it cannot be read")
    thumbnails: list[str] = Field(description="addresses of some small pictures, beside its page")


class StartPage(ResponseModel):
    """What the start page shows."""

    sessions: list[FoundSession] = Field(description="those of this server first, then the one changed last")
    more: int = Field(description="sessions in the folder that are not listed")
    has_root: bool = Field(description="whether this server knows a folder of sessions (`--sessions-root`)")
