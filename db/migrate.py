"""Bring a database to the newest schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from db.errors import MigrationError

MIGRATIONS_DIR = Path(__file__).with_name("migrations")


def alembic_config() -> Config:
    """Alembic's configuration, without an .ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Create the tables, or upgrade those of an earlier version; data stay, and a copy of the database as it was.

    Raises:
        MigrationError: rows would be left that refer to nothing; the database is as it was.
    """
    found = _revision(engine)
    if found is not None and found == head_revision():
        return
    if found is not None:
        _keep_copy(engine, found)
    with _connection(engine) as connection, connection.begin():
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        _check_references(connection)


def head_revision() -> str | None:
    """Newest revision that this code knows."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    """One that may rebuild tables: SQLite cannot alter most things in place, and dropping the old table of a rebuilt
    one would delete all rows that refer to it, were foreign keys on.
    """
    with engine.execution_options(sqlite_begin="IMMEDIATE").connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection
            return
        # Without effect inside a transaction, which starts with the first statement of SQLAlchemy's.
        _pragma(connection, "foreign_keys=OFF")
        try:
            yield connection
        finally:
            _pragma(connection, "foreign_keys=ON")


def _pragma(connection: Connection, setting: str) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA {setting}")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken: Any = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise MigrationError(
            f"the database cannot be upgraded: a row of {broken[0]} refers to a row of {broken[2]} that is not there. "
            "Nothing was changed; please report this"
        )


def _keep_copy(engine: Engine, revision: str) -> None:
    """A copy of an SQLite file beside it, once for each revision that it leaves."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        return
    copy = Path(f"{engine.url.database}.before-upgrade-from-{revision}")
    if copy.exists():
        return
    unfinished = copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(engine.url.database)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(copy)
