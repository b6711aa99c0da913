"""Types of columns that SQLAlchemy does not bring: times in UTC, tasks by name, enumerations."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import DateTime, Enum, String
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

from db.tasks import Task, find_task


class UtcDateTime(TypeDecorator[dt.datetime]):
    """Aware UTC in Python; SQLite keeps no offset, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: times in the database are UTC and aware")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class TaskName(TypeDecorator[Task]):
    """The name in the database, so that a new task needs no migration; the task in Python."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Task | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.name

    def process_result_value(self, value: str | None, dialect: Dialect) -> Task | None:  # noqa: ARG002
        return None if value is None else find_task(value)


def enum_column(kind: type[StrEnum], name: str) -> Enum:
    """A text column restricted to the values of `kind` (a CHECK constraint, the same on SQLite and PostgreSQL)."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )
