"""Signs of life of this worker, and what has to be done about those that give none."""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import time
from collections.abc import Collection

from sqlalchemy.orm import Session

from db.queries.events import prune_events
from db.queries.jobs import prune_jobs
from db.queries.refits import request_due_refit
from db.queries.runs import recover_work
from db.queries.workers import beat, remove_silent_workers
from ml_service.context import Context

logger = logging.getLogger(__name__)
KEEP_EVENTS = dt.timedelta(hours=1)
KEEP_JOBS = dt.timedelta(days=1)
PRUNE_INTERVAL_S = 60.0


class Heartbeat:
    """About once a second. Use from one thread."""

    def __init__(self, context: Context, worker_id: str) -> None:
        self._context = context
        self._worker_id = worker_id
        self._ticked_at = self._pruned_at = -float("inf")

    def beat_if_due(self, job_ids: Collection[int]) -> bool:
        """Heartbeat, and the look for dead workers: about once a second; True if it was done now."""
        if time.monotonic() < self._ticked_at + self._context.settings.tick_interval_s:
            return False
        self._ticked_at = time.monotonic()
        timeout = dt.timedelta(seconds=self._context.settings.heartbeat_timeout_s)
        with self._context.db.write() as db_session:
            # First the own heart: after a long sleep of the machine, what this worker does must not look abandoned.
            beat(db_session, self._worker_id, os.getpid(), socket.gethostname(), job_ids)
            db_session.flush()
            self._recover(db_session, timeout)
            if request_due_refit(db_session):
                logger.warning("the head is behind the annotations and no refit was queued: now one is")
            if time.monotonic() >= self._pruned_at + PRUNE_INTERVAL_S:
                self._pruned_at = time.monotonic()
                prune_events(db_session, KEEP_EVENTS)
                prune_jobs(db_session, KEEP_JOBS)
        return True

    def _recover(self, db_session: Session, timeout: dt.timedelta) -> None:
        remove_silent_workers(db_session, timeout)
        recovery, runs = recover_work(db_session, timeout)
        for run in runs:
            logger.warning("run %d was left by a worker that stopped; it is %s again", run.id, run.state.value)
        if recovery.requeued or recovery.failed:
            logger.warning("jobs of silent workers: %s queued again, %s failed", recovery.requeued, recovery.failed)
