"""The outbox of events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from db.clock import utc_now
from db.enums import JobKind, JobState
from db.queries.events import add_event, events_after, last_event_id, prune_events
from db.queries.jobs import prune_jobs, request_job
from db.tables.processes import Job


def test_prune_events__ids_never_come_back(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        for number in range(5):
            add_event(db_session, "job", number=number)
    with segmentation_session.database.write() as db_session:
        known = last_event_id(db_session)
        prune_events(db_session, dt.timedelta(0))
        assert last_event_id(db_session) == 0
    with segmentation_session.database.write() as db_session:
        add_event(db_session, "job", number=9)
    with segmentation_session.database.read() as db_session:
        assert [event.payload for event in events_after(db_session, known)] == [{"number": 9}]


def test_prune_jobs__ids_never_come_back(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        first = request_job(db_session, JobKind.TRAIN)
        first.state, first.finished_at = JobState.DONE, utc_now()
        first_id = first.id
    with segmentation_session.database.write() as db_session:
        prune_jobs(db_session, dt.timedelta(0))
        assert db_session.get(Job, first_id) is None
    with segmentation_session.database.write() as db_session:
        assert request_job(db_session, JobKind.TRAIN).id > first_id
