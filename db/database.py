"""Engine and sessions: SQLite in WAL by default, PostgreSQL by URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker

from db.errors import SessionNotFoundError

DATABASE_FILE_NAME = "annotations.db"
URL_VARIABLE = "FEWCLICK_DATABASE_URL"
WRITE_LOCK = 0x6665_7763
"""Advisory lock that every writer holds on PostgreSQL: writers take turns there as they do on SQLite."""
CHANGE_CHANNEL = "fewclick_change"
"""PostgreSQL notification that every writing transaction sends with its commit."""


def database_url(session_dir: Path) -> str:
    """URL of the session's database: FEWCLICK_DATABASE_URL if set, else the SQLite file in the session folder."""
    return os.environ.get(URL_VARIABLE) or f"sqlite:///{(session_dir / DATABASE_FILE_NAME).resolve()}"


def make_engine(url: str, *, waits_for_disk: bool = True) -> Engine:
    """An engine with the pragmas that durability and concurrency need.

    SQLite: WAL, so that readers and the writer do not block each other; synchronous=FULL, because in WAL mode NORMAL
    loses acknowledged commits when power fails; foreign keys, which SQLite leaves off; a busy timeout.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30.0})
    event.listen(engine, "connect", partial(_set_sqlite_pragmas, synchronous="FULL" if waits_for_disk else "NORMAL"))
    event.listen(engine, "begin", _begin)
    return engine


def _set_sqlite_pragmas(connection: Any, _record: Any, *, synchronous: str) -> None:
    # The driver's own BEGIN is deferred and comes late; with it off, _begin below decides (as SQLAlchemy documents).
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _begin(connection: Any) -> None:
    # A deferred transaction that reads first and writes later fails with "database is locked" at once, timeout or not,
    # when another process wrote in between. Writers therefore take the lock at the start.
    options = connection.get_execution_options()
    if "sqlite_synchronous" in options:
        # Within a transaction it would have no effect. Every writer sets its own, so none has to be set back.
        connection.exec_driver_sql(f"PRAGMA synchronous={options['sqlite_synchronous']}")
    connection.exec_driver_sql(f"BEGIN {options.get('sqlite_begin', 'DEFERRED')}")


def require_session_dir(session_dir: Path) -> Path:
    """`session_dir`, if it holds a session.

    Raises:
        SessionNotFoundError: there is no database in it (and none is named by FEWCLICK_DATABASE_URL).
    """
    if not os.environ.get(URL_VARIABLE) and not (session_dir / DATABASE_FILE_NAME).is_file():
        raise SessionNotFoundError(
            f"no session in {session_dir}: {DATABASE_FILE_NAME} was not found there. Make one with `fewclick init "
            "--config FILE` (or `python initialization/init_session.py --config FILE`), look around with "
            "`fewclick demo`, or name the folder of one with --session or FEWCLICK_SESSION."
        )
    return session_dir


class Database:
    """The database of one session, shared by the threads of one process."""

    def __init__(self, url: str, *, waits_for_disk: bool = True) -> None:
        """With `waits_for_disk` off, a power failure may take the last commits along, in order: for what is computed
        again. What others commit is as safe as before, and so is what `write(durable=True)` commits."""
        self.url = url
        self.engine = make_engine(url, waits_for_disk=waits_for_disk)
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        # On PostgreSQL a plain transaction would see what others commit between two of its statements.
        snapshot = {} if self._is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._read = sessionmaker(self.engine.execution_options(**snapshot), expire_on_commit=False)
        self._write = self._writers("FULL" if waits_for_disk else "NORMAL")
        self._write_durably = self._writers("FULL")

    def _writers(self, synchronous: str) -> sessionmaker[Session]:
        options = {"sqlite_begin": "IMMEDIATE", "sqlite_synchronous": synchronous}
        return sessionmaker(self.engine.execution_options(**options), expire_on_commit=False)

    @classmethod
    def of_session(cls, session_dir: Path, *, waits_for_disk: bool = True) -> Database:
        """The database of an existing session folder.

        Raises:
            SessionNotFoundError: the folder holds none.
        """
        return cls(database_url(require_session_dir(session_dir)), waits_for_disk=waits_for_disk)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading: one consistent snapshot, never blocked by the writer."""
        with self._read() as db_session:
            yield db_session

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        """One transaction: committed when the block ends; rolled back whole when it raises.

        Writers take turns, on both databases: what a transaction has read is still true when it commits.

        Args:
            durable: wait for the disk, also where `waits_for_disk` is off; all that was committed before is on it too.
                For whatever is followed by the removal of files that the state before needs.
        """
        with (self._write_durably if durable else self._write).begin() as db_session:
            if self._is_sqlite:
                yield db_session
                return
            db_session.execute(text(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"))
            yield db_session
            if db_session.in_transaction():  # else it was rolled back within the block: nothing to announce
                db_session.execute(text(f"NOTIFY {CHANGE_CHANNEL}"))

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()


class ChangeDetector:
    """Says cheaply whether another connection has committed since the last look.

    SQLite: `PRAGMA data_version` costs microseconds, so a 5 ms polling period is nothing. PostgreSQL: a connection that
    listens to the notifications of writers. Keeps a connection of its own. Use from one thread.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._connection: PoolProxiedConnection | None = engine.raw_connection() if self._is_sqlite else None
        self._version: int | None = None

    def changed(self) -> bool:
        """True on the first call and whenever something was committed since the last call."""
        return self._has_new_version() if self._is_sqlite else self._has_notification()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None and self._is_sqlite:
            self._connection.close()
        elif self._connection is not None:
            # Not back to the pool: it would go on listening.
            self._connection.invalidate()
        self._connection = None

    def _has_new_version(self) -> bool:
        assert self._connection is not None
        cursor = self._connection.cursor()
        version = int(cursor.execute("PRAGMA data_version").fetchone()[0])
        cursor.close()
        changed = version != self._version
        self._version = version
        return changed

    def _has_notification(self) -> bool:
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            driver: Any = self._connection.driver_connection
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANGE_CHANNEL}")
            return True
        driver = self._connection.driver_connection
        try:
            return bool(list(driver.notifies(timeout=0)))
        except self._engine.dialect.loaded_dbapi.OperationalError:
            # The server went away. What it announced meanwhile is lost: the next look connects anew and says yes.
            self.close()
            return True
