from __future__ import annotations

import datetime as dt
import threading

import pytest
from sqlalchemy import select, update

from db.clock import utc_now
from db.database import Database
from db.enums import JobKind, JobState
from db.queries.jobs import (
    MAX_ATTEMPTS,
    JobLostError,
    beat_jobs,
    claim_job,
    fail_job,
    finish_job,
    has_queued,
    prune_jobs,
    recover_jobs,
    request_job,
    requeue_job,
)
from db.tables.images import Image
from db.tables.processes import Event, Job

LONG = dt.timedelta(seconds=10)


def _add_images(db: Database, count: int) -> None:
    with db.write() as db_session:
        db_session.add_all([Image(id=n, path=f"{n}.png", random_key=0.5) for n in range(1, count + 1)])


def _claim(db: Database, worker_id: str = "a") -> int:
    with db.write() as db_session:
        job = claim_job(db_session, worker_id)
        assert job is not None
        return job.id


def _states(db: Database) -> list[JobState]:
    with db.read() as db_session:
        return list(db_session.scalars(select(Job.state).order_by(Job.id)))


def _silence(db: Database, job_id: int) -> None:
    with db.write() as db_session:
        db_session.execute(update(Job).where(Job.id == job_id).values(heartbeat_at=utc_now() - 2 * LONG))


def test_request_job__equal_requests_coalesce_and_newest_image_wins(db: Database) -> None:
    _add_images(db, 2)
    with db.write() as db_session:
        first = request_job(db_session, JobKind.REFIT, 1)
        second = request_job(db_session, JobKind.REFIT, 2)
        assert first.id == second.id
        assert second.image_id == 2


def test_request_job__during_a_running_one_queues_the_next(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
    _claim(db)
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
        request_job(db_session, JobKind.TRAIN)
    assert _states(db) == [JobState.RUNNING, JobState.QUEUED]


def test_claim_job__clicks_before_opened_images_before_runs(db: Database) -> None:
    _add_images(db, 2)
    with db.write() as db_session:
        for kind, image_id in ((JobKind.TRAIN, None), (JobKind.PREDICT, 2), (JobKind.PREDICT, 1), (JobKind.REFIT, 1)):
            request_job(db_session, kind, image_id)
    claimed = []
    for _ in range(4):
        with db.write() as db_session:
            job = claim_job(db_session, "a")
            assert job is not None
            claimed.append((job.kind, job.image_id))
    assert claimed == [(JobKind.REFIT, 1), (JobKind.PREDICT, 2), (JobKind.PREDICT, 1), (JobKind.TRAIN, None)]


def test_claim_job__only_the_kinds_asked_for(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
        assert has_queued(db_session)
        assert not has_queued(db_session, [JobKind.REFIT])
        assert claim_job(db_session, "a", [JobKind.REFIT]) is None


def test_claim_job__equal_work_never_runs_twice_at_once(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
    first = _claim(db, "a")
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
        assert claim_job(db_session, "b") is None
        finish_job(db_session, first, "a")
        assert claim_job(db_session, "b") is not None


def test_claim_job__many_workers_share_without_overlap(db: Database) -> None:
    _add_images(db, 30)
    with db.write() as db_session:
        for n in range(1, 31):
            request_job(db_session, JobKind.PREDICT, n)
    claimed: dict[str, list[int]] = {name: [] for name in "abcd"}

    def work(name: str) -> None:
        while True:
            with db.write() as db_session:
                job = claim_job(db_session, name)
                if job is None:
                    return
                claimed[name].append(job.id)

    threads = [threading.Thread(target=work, args=(name,)) for name in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = sorted(job_id for some in claimed.values() for job_id in some)
    assert ids == list(range(1, 31))


def test_finish_job__of_another_worker_is_refused(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.REFIT)
    job_id = _claim(db, "a")
    with pytest.raises(JobLostError, match="running by a, expected running by b"), db.write() as db_session:
        finish_job(db_session, job_id, "b")
    assert _states(db) == [JobState.RUNNING]


def test_fail_job__keeps_the_error_and_announces_it(db: Database) -> None:
    with db.write() as db_session:
        job = request_job(db_session, JobKind.REFIT)
        fail_job(db_session, job, "no luck")
    with db.read() as db_session:
        assert db_session.get_one(Job, 1).error == "no luck"
        assert db_session.scalars(select(Event)).one().payload["error"] == "no luck"


def test_requeue_job__given_up_in_good_order_does_not_count(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
    job_id = _claim(db)
    with db.write() as db_session:
        requeue_job(db_session, db_session.get_one(Job, job_id), count_attempt=False)
    with db.read() as db_session:
        job = db_session.get_one(Job, job_id)
        assert (job.state, job.attempts, job.worker_id) == (JobState.QUEUED, 0, None)


def test_requeue_job__merges_with_an_equal_one_that_waits(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
    job_id = _claim(db)
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
        requeue_job(db_session, db_session.get_one(Job, job_id), count_attempt=True)
    assert _states(db) == [JobState.DONE, JobState.QUEUED]


def test_recover_jobs__takes_over_from_the_silent_only(db: Database) -> None:
    _add_images(db, 2)
    with db.write() as db_session:
        request_job(db_session, JobKind.PREDICT, 1)
        request_job(db_session, JobKind.PREDICT, 2)
    silent, alive = _claim(db), _claim(db)
    _silence(db, silent)
    _silence(db, alive)
    with db.write() as db_session:
        beat_jobs(db_session, "a", [alive])
        recovery = recover_jobs(db_session, LONG)
    assert (recovery.requeued, recovery.failed) == ([silent], [])
    assert _states(db) == [JobState.QUEUED, JobState.RUNNING]


def test_recover_jobs__gives_up_after_the_last_attempt(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.TRAIN)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job_id = _claim(db)
        _silence(db, job_id)
        with db.write() as db_session:
            recovery = recover_jobs(db_session, LONG)
        assert (recovery.failed == [job_id]) == (attempt == MAX_ATTEMPTS)
    with db.read() as db_session:
        job = db_session.get_one(Job, job_id)
        assert job.state is JobState.FAILED
        assert "3 workers" in (job.error or "")


def test_prune_jobs__removes_only_what_ended_long_ago(db: Database) -> None:
    with db.write() as db_session:
        request_job(db_session, JobKind.REFIT)
    job_id = _claim(db)
    with db.write() as db_session:
        finish_job(db_session, job_id, "a")
        request_job(db_session, JobKind.REFIT)
        db_session.execute(update(Job).where(Job.id == job_id).values(finished_at=utc_now() - dt.timedelta(days=2)))
        prune_jobs(db_session, dt.timedelta(days=1))
    assert _states(db) == [JobState.QUEUED]
