"""Settings of the backend, read once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.schemas.session import SessionLink
from db.database import database_url
from db.session_dir import PROJECT_ROOT, resolve_session_dir
from db.tasks import Task


class Sibling(BaseModel):
    """Another session that the same server offers."""

    model_config = ConfigDict(frozen=True)

    name: str
    task: Task
    url: str
    current: bool = False
    session_dir: Path | None = None


class Settings(BaseSettings):
    """From arguments, else from the environment: FEWCLICK_SESSION, FEWCLICK_ALLOWED_HOSTS and so on."""

    model_config = SettingsConfigDict(env_prefix="FEWCLICK_", frozen=True, extra="ignore", env_ignore_empty=True)

    session: Path | None = Field(default=None, description="session folder; see `session_dir` for what holds without")
    database_url: str | None = Field(default=None, description="other than the SQLite file in the session folder")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="host names, besides those of this machine, under which browsers may reach the server"
    )
    frontend_dist: Path = Field(default=PROJECT_ROOT / "frontend" / "dist", description="the built page")
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024, description="largest request")
    event_poll_interval_s: float = Field(default=0.005, gt=0, le=10, description="how often to look for new events")
    event_keep_s: float = Field(default=3600, ge=1, description="how long a listener may be away and still catch up")
    worker_timeout_s: float = Field(default=5, gt=0, description="an ML service silent for longer counts as dead")
    pyramid_cache_bytes: int = Field(
        default=8 * 1024**3, ge=0, description="disk for the tiles of large images, under the session's cache/pyramids"
    )
    spare_disk_bytes: int = Field(
        default=64 * 1024 * 1024, ge=0, description="disk that pictures kept for later leave free for labels"
    )
    supervised: bool = Field(default=False, description="`fewclick up` starts and keeps the services; set by it")
    sessions_root: Path | None = Field(default=None, description="folder whose sessions the start page lists")
    sessions: tuple[Sibling, ...] = Field(default=(), description="sessions on this port, set by the supervisor")

    @cached_property
    def session_dir(self) -> Path:
        """FEWCLICK_SESSION, else ./session if it holds a session, else session/ in the project's root."""
        return resolve_session_dir() if self.session is None else self.session.expanduser().resolve()

    @property
    def effective_database_url(self) -> str:
        """Where the session's database is."""
        return self.database_url or database_url(self.session_dir)

    def session_links(self) -> list[SessionLink]:
        """The sessions on this port."""
        return [SessionLink(**sibling.model_dump(exclude={"session_dir"})) for sibling in self.sessions]
