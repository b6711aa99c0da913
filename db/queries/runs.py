"""Full training runs: what Save starts and Stop Training ends. Every change of state goes through `transition`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import JobKind, JobState, RunKind, RunState
from db.errors import ConflictError, NotFoundError
from db.queries.events import add_event
from db.queries.jobs import Recovery, recover_jobs, request_job
from db.tables.learning import Checkpoint, Run, RunEpoch
from db.tables.processes import Job

TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FINISHED}),
    RunState.RUNNING: frozenset({RunState.SUSPENDED, RunState.QUEUED, RunState.FINISHED, RunState.FAILED}),
    RunState.SUSPENDED: frozenset({RunState.RUNNING, RunState.QUEUED, RunState.FINISHED, RunState.FAILED}),
    RunState.FINISHED: frozenset(),
    RunState.FAILED: frozenset(),
}
"""Back to QUEUED: the service stopped or died; the next one goes on with the run."""
ENDED = frozenset(state for state, following in TRANSITIONS.items() if not following)


AT_WORK = (RunState.RUNNING, RunState.SUSPENDED)


class TransitionError(ConflictError):
    """A run cannot go from its state to the one asked for."""


def transition(
    db_session: Session, run: Run, state: RunState, *, reason: str | None = None, message: str | None = None
) -> None:
    """Move a run to another state and announce it.

    Args:
        reason: for FINISHED: early_stop, max_epochs, stopped, superseded.
        message: for a person, in place of the one before; FAILED needs one.

    Raises:
        TransitionError: the table does not allow it.
    """
    if state not in TRANSITIONS[run.state]:
        allowed = ", ".join(sorted(TRANSITIONS[run.state])) or "nothing, it has ended"
        raise TransitionError(
            f"run {run.id} is {run.state.value} and cannot become {state.value}: allowed is {allowed}"
        )
    if (state is RunState.FINISHED) != (reason is not None):
        raise ValueError(f"a reason belongs to FINISHED and only to it, found {reason!r} for {state.value}")
    if state is RunState.FAILED and not message:
        raise ValueError("FAILED needs a message")
    run.state = state
    run.reason = reason
    run.message = run.message if message is None else message
    if state is RunState.RUNNING and run.started_at is None:
        run.started_at = utc_now()
    elif state in ENDED:
        run.finished_at = utc_now()
    announce_run(db_session, run)


def announce_run(db_session: Session, run: Run) -> None:
    """Tell the listeners where a run stands."""
    add_event(db_session, "training", run_id=run.id, state=run.state.value, epoch=run.epoch, reason=run.reason)


def request_run(db_session: Session, image_id: int | None = None, kind: RunKind = RunKind.HEAD) -> Run:
    """Queue a run and its job, or return the run of this kind that waits already.

    A run that has begun does not count, at work or waiting for a service: it may not have read the newest labels, so
    the new one follows it.

    Args:
        image_id: the image that the person has open, predicted while the run goes on.
    """
    run = oldest_unbegun_run(db_session, kind)
    if run is None:
        run = Run(kind=kind)
        db_session.add(run)
        db_session.flush()
        announce_run(db_session, run)
    request_job(db_session, JobKind.TRAIN, image_id)
    return run


def request_stop(db_session: Session) -> list[Run]:
    """Stop what runs and what waits; returns those runs. A run at work ends at its next batch."""
    stopped = list(db_session.scalars(select(Run).where(Run.state.not_in(ENDED)).order_by(Run.id)))
    for run in stopped:
        if run.state is RunState.QUEUED:
            message = "Stopped before it began." if run.started_at is None else "Stopped before it went on."
            transition(db_session, run, RunState.FINISHED, reason="stopped", message=message)
        else:
            run.stop_requested = True
            announce_run(db_session, run)
    return stopped


def start_next_run(db_session: Session) -> Run | None:
    """The run to do now, RUNNING; None if none waits.

    One that was begun goes on first, whatever was asked for since: what it has learned is not thrown away. Of those
    that were not, the newest of a kind supersedes the older ones. A job is queued for whatever waits still.
    """
    waiting = list(db_session.scalars(select(Run).where(Run.state == RunState.QUEUED).order_by(Run.id)))
    if not waiting:
        return None
    begun = [run for run in waiting if run.started_at is not None][:1]
    queued = begun or [run for run in waiting if run.kind is waiting[0].kind]
    if len(queued) < len(waiting):
        request_job(db_session, JobKind.TRAIN)
    for run in queued[:-1]:
        transition(
            db_session, run, RunState.FINISHED, reason="superseded", message=f"Run {queued[-1].id} took its place."
        )
    transition(db_session, queued[-1], RunState.RUNNING)
    return queued[-1]


def recover_work(db_session: Session, older_than: dt.timedelta) -> tuple[Recovery, list[Run]]:
    """Take the work of dead workers from them: see `recover_jobs` and `recover_runs`.

    A run whose job was tried too often has failed.
    """
    recovery = recover_jobs(db_session, older_than)
    for job_id in recovery.failed:
        job = db_session.get_one(Job, job_id)
        if job.kind is JobKind.TRAIN:
            for run in runs_at_work(db_session):
                transition(db_session, run, RunState.FAILED, message=job.error)
    return recovery, recover_runs(db_session)


def recover_runs(db_session: Session) -> list[Run]:
    """Put the runs that no worker works at back in the queue, with a TRAIN job if none waits; returns them."""
    at_work = select(Job.id).where(Job.kind == JobKind.TRAIN, Job.state == JobState.RUNNING).limit(1)
    if db_session.scalar(at_work) is not None:
        return []
    left = runs_at_work(db_session)
    for run in left:
        if run.stop_requested:
            transition(db_session, run, RunState.FINISHED, reason="stopped", message="Stopped.")
        else:
            transition(db_session, run, RunState.QUEUED, message="Goes on: the ML service had stopped.")
            request_job(db_session, JobKind.TRAIN)
    return left


def runs_at_work(db_session: Session) -> list[Run]:
    """Runs that are RUNNING or SUSPENDED: at most one, as equal jobs never run twice at once."""
    return list(db_session.scalars(select(Run).where(Run.state.in_(AT_WORK)).order_by(Run.id)))


def record_epochs(db_session: Session, run: Run, epochs: Sequence[RunEpoch]) -> None:
    """Append the losses of finished epochs and announce them."""
    db_session.add_all(epochs)
    run.epoch = epochs[-1].epoch
    announce_run(db_session, run)


def oldest_unbegun_run(db_session: Session, kind: RunKind) -> Run | None:
    """The run of this kind that waits longest, of those that no service has begun."""
    queued = (Run.state == RunState.QUEUED, Run.kind == kind, Run.started_at.is_(None))
    return db_session.scalar(select(Run).where(*queued).order_by(Run.id).limit(1))


def current_run(db_session: Session) -> Run | None:
    """The run to show: one at work, else the newest."""
    at_work = runs_at_work(db_session)
    return at_work[0] if at_work else db_session.scalar(select(Run).order_by(Run.id.desc()).limit(1))


def get_run(db_session: Session, run_id: int) -> Run:
    """One by its id.

    Raises:
        NotFoundError: there is none.
    """
    run = db_session.get(Run, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}: GET /api/runs lists them")
    return run


def newest_runs(db_session: Session, *, below: int | None, limit: int) -> list[Run]:
    """Up to `limit` runs, those with an id under `below` if given, newest first."""
    statement = select(Run).order_by(Run.id.desc()).limit(limit)
    return list(db_session.scalars(statement if below is None else statement.where(Run.id < below)))


def count_runs(db_session: Session) -> int:
    """How many there ever were."""
    return db_session.scalar(select(func.count()).select_from(Run)) or 0


def checkpoints_of_runs(db_session: Session, run_ids: Collection[int]) -> dict[int, int]:
    """Id of the newest checkpoint of each run that has one, by run id."""
    statement = select(Checkpoint.run_id, func.max(Checkpoint.id)).where(Checkpoint.run_id.in_(run_ids))
    return {run_id: found for run_id, found in db_session.execute(statement.group_by(Checkpoint.run_id)) if run_id}


def run_epochs(db_session: Session, run_id: int) -> list[RunEpoch]:
    """Losses of a run by epoch."""
    return list(db_session.scalars(select(RunEpoch).where(RunEpoch.run_id == run_id).order_by(RunEpoch.epoch)))


def rewind_run(db_session: Session, run: Run, epoch: int) -> None:
    """Forget what was recorded after `epoch`; all of it for 0."""
    db_session.execute(delete(RunEpoch).where(RunEpoch.run_id == run.id, RunEpoch.epoch > epoch))
    run.epoch = epoch
    if run.best_epoch is not None and run.best_epoch > epoch:
        run.best_epoch = None
    if epoch == 0:
        run.metrics = {}
    announce_run(db_session, run)


def record_segments(run: Run, segments: Sequence[Mapping[str, Any]]) -> None:
    """Note what a run has learned from, one after the other, as its metric `segments`."""
    run.metrics = {**run.metrics, "segments": [dict(segment) for segment in segments]}


def ended_run_ids(db_session: Session, run_ids: Collection[int]) -> list[int]:
    """Those of the runs that are no more at work nor waiting; such as are not known count as ended."""
    going_on = set(db_session.scalars(select(Run.id).where(Run.state.not_in(ENDED))))
    return sorted(set(run_ids) - going_on)
