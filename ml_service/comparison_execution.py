"""A job that compares two checkpoints, from its payload to its recorded result."""

from __future__ import annotations

from db.enums import JobState
from db.queries.events import add_event
from db.queries.jobs import finish_job
from db.tables.processes import Job
from ml_service.checkpoint_agreement import Attend
from ml_service.checkpoint_comparison import compare_checkpoints
from ml_service.context import Context


def execute_comparison(context: Context, job: Job, worker_id: str, attend: Attend) -> None:
    """Do a claimed job of this kind; its result and its end are one transaction.

    Args:
        attend: called between images, as in `compare_checkpoints`; what it raises ends the comparison.

    Raises:
        JobLostError: another worker has it by now.
        CheckpointError, FewclickError: the two cannot be compared.
    """
    a_id, b_id = (job.payload or {})["checkpoint_ids"]
    result = compare_checkpoints(context, a_id, b_id, attend)
    with context.db.write() as db_session:
        finish_job(db_session, job.id, worker_id)
        db_session.get_one(Job, job.id).result = result
        add_event(db_session, "job", job_id=job.id, job_kind=job.kind.value, state=JobState.DONE.value)
