from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from db.clock import utc_now
from db.enums import JobKind, JobState
from db.queries.jobs import claim_job, fail_job, request_job
from db.queries.refits import REST_AFTER_FAILURE, note_arrivals, request_due_refit
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tables.processes import Job
from db.tasks import Task
from tests.ml_service.toy_session import ToySession, make_session


@pytest.fixture
def session(tmp_path: Path) -> ToySession:
    return make_session(tmp_path, Task.SEGMENTATION, 2, n_ready=1)


def _fall_behind(session: ToySession) -> None:
    """An annotation whose refit is gone."""
    session.click_halves(1)
    with session.db.write() as db_session:
        db_session.query(Job).delete()


def test_request_due_refit__nothing_to_learn(session: ToySession) -> None:
    with session.db.write() as db_session:
        assert not request_due_refit(db_session)


def test_request_due_refit__head_is_behind(session: ToySession) -> None:
    _fall_behind(session)
    with session.db.write() as db_session:
        assert request_due_refit(db_session)
        assert not request_due_refit(db_session)
        assert claim_job(db_session, "worker") is not None
        assert not request_due_refit(db_session)


def test_request_due_refit__rests_after_a_failure(session: ToySession) -> None:
    _fall_behind(session)
    with session.db.write() as db_session:
        fail_job(db_session, request_job(db_session, JobKind.REFIT), "wrong")
    with session.db.write() as db_session:
        assert not request_due_refit(db_session)
        db_session.execute(update(Job).values(finished_at=utc_now() - REST_AFTER_FAILURE))
        assert request_due_refit(db_session)


def test_note_arrivals__only_annotated_images_count(session: ToySession) -> None:
    session.click_halves(2)
    with session.db.write() as db_session:
        db_session.query(Job).delete()
        before = get_session_info(db_session).label_sequence
        note_arrivals(db_session, [1])
        assert get_session_info(db_session).label_sequence == before
        note_arrivals(db_session, [1, 2])
        assert get_session_info(db_session).label_sequence == before + 1
    assert [(job.kind, job.state) for job in session.jobs()] == [(JobKind.REFIT, JobState.QUEUED)]
    with session.db.read() as db_session:
        assert db_session.get_one(Image, 2).label_sequence == before + 1
