"""How a run begins: what earlier ones left is cleared away, and it is taken from the queue."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from db.queries.jobs import finish_job, own_job
from db.queries.run_removal import forget_old_epochs
from db.queries.runs import start_next_run
from db.tables.learning import Run
from ml_service.context import Context
from ml_service.session_leftovers import remove_session_leftovers

logger = logging.getLogger(__name__)


def begin_next_run(context: Context, job_id: int, worker_id: str) -> Run | None:
    """The run that a TRAIN job is for, RUNNING; without one that waits None, and the job is done.

    Raises:
        JobLostError: the job is no longer this worker's.
    """
    _clear_away(context)
    with context.db.write() as db_session:
        own_job(db_session, job_id, worker_id)
        run = start_next_run(db_session)
        if run is None:
            finish_job(db_session, job_id, worker_id)
            return None
        forget_old_epochs(db_session)
    return run


def _clear_away(context: Context) -> None:
    try:
        remove_session_leftovers(context.db, context.session_dir)
    except (OSError, SQLAlchemyError) as error:
        # It only takes space, and the next run tries again.
        logger.warning("what earlier runs left stays for now: %s", error)
