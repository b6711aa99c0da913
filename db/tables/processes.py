"""What the processes of a session tell each other: jobs, signs of life, events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.clock import utc_now
from db.column_types import enum_column
from db.enums import JobKind, JobState, WorkerRole
from db.tables.base import Base


class Job(Base):
    """Work for the ML service. Equal requests coalesce while queued; a request during a run queues the next one."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_key_queued", "key", unique=True, sqlite_where=text("state = 'queued'"),
              postgresql_where=text("state = 'queued'")),
        Index("ix_jobs_state_priority", "state", "priority", "id"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[JobKind] = mapped_column(enum_column(JobKind, "job_kind"))
    key: Mapped[str] = mapped_column(String(120))
    """Equal keys are one request: "refit", "train", "predict:12"."""
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), default=None)
    priority: Mapped[int] = mapped_column(default=0)
    """Smaller is sooner."""
    state: Mapped[JobState] = mapped_column(enum_column(JobState, "job_state"), default=JobState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    worker_id: Mapped[str | None] = mapped_column(String(64), default=None)
    heartbeat_at: Mapped[dt.datetime | None] = mapped_column(default=None)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    payload: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What is asked for, where the kind and the image do not say it."""
    result: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What came of it, where no other table keeps that."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class Worker(Base):
    """A living process that works for the session."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[WorkerRole] = mapped_column(
        enum_column(WorkerRole, "worker_role"), default=WorkerRole.LEARNING, server_default="learning"
    )
    pid: Mapped[int]
    host: Mapped[str] = mapped_column(String(255))
    progress: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """Of an extraction worker: see `WorkerProgress` in db/queries/extraction_workers.py."""
    started_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    heartbeat_at: Mapped[dt.datetime] = mapped_column(default=utc_now, index=True)


class Event(Base):
    """Outbox of server-sent events: written with the change it reports, read by every backend, pruned after a while."""

    __tablename__ = "events"
    # Listeners ask for what is younger than the id they know: an id must not come back when all rows are pruned.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    """annotation, prediction, training, features or job."""
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now, index=True)
