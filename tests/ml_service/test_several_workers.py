"""Workers that share a session: signs of life, lost jobs, who does what."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select, update

from db.clock import utc_now
from db.enums import JobKind, JobState, RunState
from db.queries.jobs import MAX_ATTEMPTS, claim_job, request_job
from db.queries.runs import request_run, start_next_run
from db.queries.workers import heartbeat_age_s
from db.tables.learning import Run
from db.tables.processes import Job, Worker
from tests.ml_service.toy_session import (
    ToySession,
    work_off,
)


def test_start__of_a_second_worker_takes_the_head_as_it_is(segmentation: ToySession) -> None:
    first = segmentation.worker()
    segmentation.click_halves(1, 2)
    work_off(first)
    before, maps = segmentation.info().head_version, segmentation.map_bytes(1)
    second = segmentation.worker()
    assert second.keeper.version == before
    with segmentation.db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 1)
    work_off(second)
    assert segmentation.info().head_version == before
    assert segmentation.map_bytes(1) == maps


def test_tick_if_due__shows_life_and_close_takes_leave(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.read() as db_session:
        age_s = heartbeat_age_s(db_session)
        assert age_s is not None
        assert age_s < 5
    worker.close()
    with segmentation.db.read() as db_session:
        assert heartbeat_age_s(db_session) is None


def test_tick_if_due__job_of_a_dead_worker_is_taken_over(segmentation: ToySession) -> None:
    segmentation.click_halves(1)
    with segmentation.db.write() as db_session:
        job = claim_job(db_session, "dead")
        assert job is not None
        job.heartbeat_at = utc_now() - dt.timedelta(seconds=60)
        db_session.add(Worker(id="dead", pid=1, host="gone", heartbeat_at=utc_now() - dt.timedelta(seconds=60)))
    worker = segmentation.worker()
    work_off(worker)
    (job,) = segmentation.jobs()
    assert (job.state, job.attempts, job.worker_id) == (JobState.DONE, 2, worker.worker_id)
    with segmentation.db.read() as db_session:
        assert [row.id for row in db_session.scalars(select(Worker))] == [worker.worker_id]


def test_tick_if_due__run_that_killed_its_workers_fails(segmentation: ToySession) -> None:
    with segmentation.db.write() as db_session:
        request_run(db_session)
        job = claim_job(db_session, "dead")
        start_next_run(db_session)
        assert job is not None
        job.attempts = MAX_ATTEMPTS
        job.heartbeat_at = utc_now() - dt.timedelta(seconds=60)
    segmentation.worker()
    run = segmentation.run(1)
    assert run.state is RunState.FAILED
    assert "3 workers" in run.message


def test_step__result_of_a_lost_job_is_dropped(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    context_sync = worker.keeper._context.training_set.sync

    def sync_late(db_session: object) -> None:
        with segmentation.db.write() as other:
            other.execute(update(type(segmentation.jobs()[0])).values(worker_id="thief"))
        context_sync(db_session)  # type: ignore[arg-type]

    worker.keeper._context.training_set.sync = sync_late  # type: ignore[method-assign]
    worker.step()
    assert segmentation.info().head_version == 0
    assert segmentation.prediction(1) is None
    with segmentation.db.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(Run)) == 0


def test_step__run_of_a_lost_job_is_not_begun(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    with segmentation.db.write() as db_session:
        run_id = request_run(db_session).id
    do = worker._do

    def do_late(job: Job) -> None:
        with segmentation.db.write() as other:
            other.execute(update(Job).values(worker_id="thief"))
        do(job)

    worker._do = do_late  # type: ignore[method-assign]
    assert worker.step()
    assert segmentation.run(run_id).state is RunState.QUEUED


def test_step__two_workers_share_the_work(segmentation: ToySession) -> None:
    first, second = segmentation.worker(), segmentation.worker()
    for image_id in range(1, 7):
        segmentation.click_halves(image_id)
        (first if image_id % 2 else second).step()
        second.step()
        first.step()
    work_off(first)
    work_off(second)
    assert [job.state for job in segmentation.jobs()] == [JobState.DONE] * 6
    assert segmentation.info().head_version == 6
    assert set(segmentation.predicted_versions().values()) == {6}
    assert first.keeper.version == second.keeper.version == 6
