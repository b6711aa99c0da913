"""A thread that shows in the database that an extraction worker lives, however long one image takes."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from types import TracebackType
from typing import Self

from sqlalchemy.exc import OperationalError

from db.database import Database
from db.queries.extraction_workers import WorkerProgress, beat_extraction, extraction_pids, forget_workers

logger = logging.getLogger(__name__)
INTERVAL_S = 2.0


class Heartbeat:
    """Announces a worker on entering, keeps it alive, and takes leave on exit; `progress` may be set at any time."""

    def __init__(self, database: Database) -> None:
        self.worker_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._database = database
        self._progress = WorkerProgress()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with self._database.write() as db_session:
            ended = [
                worker_id
                for worker_id, pid in extraction_pids(db_session, socket.gethostname()).items()
                if not _is_running(pid)
            ]
            forget_workers(db_session, ended)
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()
        try:
            with self._database.write() as db_session:
                forget_workers(db_session, [self.worker_id])
        except OperationalError as failed:  # a full disk: silence will say the same
            logger.warning("could not take leave: %s", failed.orig)

    def set_progress(self, progress: WorkerProgress) -> None:
        """What the next beat tells."""
        self._progress = progress

    def beat(self) -> None:
        """Show a sign of life now."""
        with self._database.write() as db_session:
            beat_extraction(db_session, self.worker_id, os.getpid(), socket.gethostname(), self._progress)

    def _run(self) -> None:
        while not self._ending.wait(INTERVAL_S):
            try:
                self.beat()
            except OperationalError as error:
                logger.warning("no sign of life could be written: %s", error.orig)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
