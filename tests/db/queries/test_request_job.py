"""Requests coalesce while queued, and none is lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from db.enums import JobKind, JobState
from db.queries.jobs import request_job
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


def test_jobs__two_equal_queued_ones_are_impossible(segmentation_session: Any) -> None:
    with pytest.raises(IntegrityError), segmentation_session.database.write() as db_session:
        db_session.add_all([Job(kind=JobKind.TRAIN, key="train"), Job(kind=JobKind.TRAIN, key="train")])
