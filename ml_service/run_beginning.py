"""How a run begins: taken from the queue, and what earlier ones left is cleared away."""

from __future__ import annotations

from db.queries.jobs import finish_job, own_job
from db.queries.run_removal import forget_old_epochs
from db.queries.runs import start_next_run
from db.tables.learning import Run
from ml_service.context import Context
from ml_service.session_leftovers import remove_session_leftovers


def begin_next_run(context: Context, job_id: int, worker_id: str) -> Run | None:
    """The run that a TRAIN job is for, RUNNING; without one that waits None, and the job is done.

    Raises:
        JobLostError: the job is no longer this worker's.
    """
    # Durably: what ended runs have saved is removed now.
    with context.db.write(durable=True) as db_session:
        own_job(db_session, job_id, worker_id)
        run = start_next_run(db_session)
        if run is None:
            finish_job(db_session, job_id, worker_id)
            return None
        forget_old_epochs(db_session)
    remove_session_leftovers(context.db, context.session_dir)
    return run
