"""How a job ends that was not done."""

from __future__ import annotations

from db.database import Database
from db.enums import JobKind, JobState, RunState
from db.queries.jobs import fail_job, requeue_job
from db.queries.runs import recover_runs, runs_at_work, transition
from db.tables.processes import Job
from ml_service.context import Context
from ml_service.errors import client_text


def give_back(db: Database, job: Job, worker_id: str) -> None:
    """Queue a job again that was not done, for no fault of its own."""
    with db.write() as db_session:
        mine = db_session.get_one(Job, job.id)
        if mine.state is not JobState.RUNNING or mine.worker_id != worker_id:
            return
        requeue_job(db_session, mine, count_attempt=False)
        db_session.flush()
        recover_runs(db_session)


def record_failure(context: Context, job: Job, worker_id: str, error: Exception) -> None:
    """Record that a job failed, and its run with it; nothing if the job belongs to another worker by now."""
    message = client_text(error, context.session_dir)
    with context.db.write() as db_session:
        mine = db_session.get_one(Job, job.id)
        if mine.state is not JobState.RUNNING or mine.worker_id != worker_id:
            return
        fail_job(db_session, mine, message)
        if job.kind is JobKind.TRAIN:
            for run in runs_at_work(db_session):
                transition(db_session, run, RunState.FAILED, message=message)
