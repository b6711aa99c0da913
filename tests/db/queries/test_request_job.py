"""Requests coalesce while queued, and none is lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db.enums import JobKind, JobState
from db.queries.jobs import request_job, request_refit
from db.tables.processes import Job


def test_request_job__equal_requests_are_one_and_the_newest_image_counts(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        first = request_job(db_session, JobKind.REFIT, 1)
        assert request_job(db_session, JobKind.REFIT, 2) is first
        assert request_job(db_session, JobKind.REFIT) is first
        assert first.image_id == 2
        assert request_job(db_session, JobKind.PREDICT, 1) is not request_job(db_session, JobKind.PREDICT, 2)


def test_request_job__during_a_run_queues_the_next(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        first = request_job(db_session, JobKind.TRAIN)
        first.state = JobState.RUNNING
        assert request_job(db_session, JobKind.TRAIN) is not first


def test_request_refit__as_request_job(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        request_refit(db_session, 1)
        request_refit(db_session, 2)
        (job,) = db_session.scalars(select(Job)).all()
        assert (job.kind, job.state, job.image_id, job.priority) == (JobKind.REFIT, JobState.QUEUED, 2, 0)
        assert request_job(db_session, JobKind.REFIT) is job
        job.state = JobState.RUNNING
        db_session.flush()
        request_refit(db_session, 1)
        assert [found.image_id for found in db_session.scalars(select(Job).order_by(Job.id))] == [2, 1]


def test_jobs__two_equal_queued_ones_are_impossible(segmentation_session: Any) -> None:
    with pytest.raises(IntegrityError), segmentation_session.database.write() as db_session:
        db_session.add_all([Job(kind=JobKind.TRAIN, key="train"), Job(kind=JobKind.TRAIN, key="train")])
