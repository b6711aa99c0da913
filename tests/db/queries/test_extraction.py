"""Who makes which features, in which order, and what becomes of them."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, text, update

from db.clock import utc_now
from db.database import Database
from db.enums import FeatureState, ImageStatus, JobKind
from db.queries import extraction, extraction_results, extraction_workers, feature_requests
from db.queries.annotations import NewPoint, replace_points
from db.queries.classes import add_class
from db.queries.extraction import Claim
from db.queries.extraction_results import Outcome
from db.queries.extraction_workers import WorkerProgress
from db.queries.session_info import Strategy
from db.tables.images import Image
from db.tables.processes import Event, Job, Worker

LONG_AGO = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def images(db: Database) -> None:
    """Six images in random order 6, 5, ..., 1; two workers."""
    with db.write() as db_session:
        db_session.add_all(
            [Image(id=n, path=f"{n}.png", content_hash=str(n), random_key=1 - n / 10, file_size=n) for n in range(1, 7)]
        )
        for worker_id in ("a", "b"):
            extraction_workers.beat_extraction(db_session, worker_id, 1, "host", WorkerProgress())


def requested(db: Database, worker_id: str = "a", limit: int = 9) -> list[int]:
    with db.write() as db_session:
        return [claim.id for claim in extraction.claim_requested(db_session, worker_id, limit)]


def rest(db: Database, worker_id: str = "a", limit: int = 9, strategy: Strategy = Strategy.SEQUENTIAL) -> list[Claim]:
    with db.write() as db_session:
        return extraction.claim_rest(db_session, worker_id, strategy, limit)


def record(db: Database, *claims: Claim, worker_id: str = "a", failure: str | None = None) -> None:
    outcomes = [
        Outcome(claim.id, claim.content_hash, 4, 3, claim.file_size, 7, failure, claim.whole) for claim in claims
    ]
    with db.write() as db_session:
        extraction_results.record(db_session, worker_id, outcomes, pooled_is_all=False)


def image(db: Database, image_id: int) -> Image:
    with db.read() as db_session:
        return db_session.get_one(Image, image_id)


def test_claim__no_image_is_claimed_twice(db: Database) -> None:
    assert [claim.id for claim in rest(db, "a", 2)] == [1, 2]
    assert [claim.id for claim in rest(db, "b", 2)] == [3, 4]
    assert [claim.id for claim in rest(db, "a", 9, Strategy.RANDOM)] == [6, 5]
    assert rest(db, "b") == []


def test_claim__of_a_silent_or_unknown_worker_is_void(db: Database) -> None:
    rest(db, "a", 2)
    rest(db, "b", 2)
    with db.write() as db_session:
        silent = update(Worker).where(Worker.id == "a").values(heartbeat_at=utc_now() - LONG_AGO)
        db_session.execute(silent)
        extraction_workers.forget_workers(db_session, ["b"])
        extraction_workers.beat_extraction(db_session, "c", 1, "host", WorkerProgress())
    assert [claim.id for claim in rest(db, "c")] == [1, 2, 3, 4, 5, 6]


def test_claim_requested__open_image_then_what_comes_next(db: Database) -> None:
    with db.write() as db_session:
        feature_requests.expect_features(db_session, [2, 3])
        feature_requests.request_features(db_session, 6)
    assert requested(db, limit=2) == [6, 2]
    assert requested(db) == [3]
    assert requested(db) == []


def test_request_features__turns_from_the_image_opened_before(db: Database) -> None:
    for image_id in (4, 5):
        with db.write() as db_session:
            feature_requests.request_features(db_session, image_id)
    assert [image(db, n).feature_priority for n in (4, 5)] == [feature_requests.REST, feature_requests.OPEN]
    with db.read() as db_session:
        assert extraction.has_requested(db_session)
    assert requested(db) == [5]
    with db.read() as db_session:
        assert not extraction.has_requested(db_session), "somebody is at it"


@pytest.mark.parametrize(("strategy", "first"), [(Strategy.SEQUENTIAL, [1, 2]), (Strategy.RANDOM, [5, 6])])
def test_expect_first__as_the_session_shows_them(db: Database, strategy: Strategy, first: list[int]) -> None:
    with db.write() as db_session:
        feature_requests.expect_first(db_session, strategy, 2)
    assert requested(db) == first


def test_record__cheap_tier_leaves_the_image_pending(db: Database) -> None:
    with db.write() as db_session:
        claims = extraction.claim_pooled(db_session, "a", 2)
    assert [claim.whole for claim in claims] == [False, False]
    record(db, *claims)
    assert (image(db, 1).features, image(db, 1).pooled_ready) == (FeatureState.PENDING, True)
    with db.write() as db_session:
        assert [claim.id for claim in extraction.claim_pooled(db_session, "a", 9)] == [3, 4, 5, 6]
    record(db, *rest(db, limit=1))
    assert (image(db, 1).features, image(db, 1).claimed_by) == (FeatureState.READY, None)
    with db.read() as db_session:
        assert extraction.read_progress(db_session) == extraction.Progress(total=6, done=1, failed=0, pooled_done=2)


def test_record__what_another_worker_has_claimed_is_left_alone(db: Database) -> None:
    claims = rest(db, "a", 1)
    record(db, *claims, worker_id="b")
    assert image(db, 1).features is FeatureState.PENDING
    with db.read() as db_session:
        assert db_session.scalars(select(Event)).all() == []


def test_record__failure_frees_the_image_and_is_tried_again_when_asked_for(db: Database) -> None:
    record(db, *rest(db, limit=2), failure="cannot")
    assert (image(db, 1).features, image(db, 1).failure) == (FeatureState.FAILED, "cannot")
    assert rest(db, limit=1)[0].id == 3
    with db.write() as db_session:
        extraction.retry_failed(db_session, except_paths=["2.png"])
    again = rest(db, limit=1)
    assert [(claim.id, claim.anew) for claim in again] == [(1, True)]
    record(db, *again)
    assert image(db, 1).failure is None
    assert image(db, 2).features is FeatureState.FAILED


def test_record__one_event_for_many_images(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_results, "IDS_PER_EVENT", 4)
    record(db, *rest(db))
    with db.write() as db_session:
        extraction.announce_progress(db_session, extraction.read_progress(db_session))
    with db.read() as db_session:
        recorded, counts = db_session.scalars(select(Event).order_by(Event.id))
    assert recorded.payload == {"image_ids": [1, 2, 3, 4], "all_named": False}
    assert counts.payload == {
        "image_ids": [], "all_named": True, "total": 6, "done": 6, "failed": 0, "pooled_done": 6,
    }  # fmt: skip


def test_claim_rest__random_order_needs_no_sorting(db: Database) -> None:
    plan = "EXPLAIN QUERY PLAN SELECT id FROM images WHERE features = 'pending' ORDER BY random_key, id LIMIT 2"
    with db.read() as db_session:
        assert "TEMP B-TREE" not in " ".join(str(row) for row in db_session.execute(text(plan)))


def test_record__points_set_on_a_pending_image_are_learned_from(db: Database) -> None:
    with db.write() as db_session:
        class_id = add_class(db_session, "cell", None).id
        db_session.execute(update(Image).where(Image.id == 1).values(width=4, height=3))
        replace_points(db_session, db_session.get_one(Image, 1), [NewPoint(1.0, 1.0, class_id)])
        # As if a head had learned all that could be learned by then.
        db_session.query(Job).delete()
    with db.read() as db_session:
        before = db_session.get_one(Image, 1).label_sequence
    record(db, *rest(db, limit=1))
    with db.read() as db_session:
        assert db_session.get_one(Image, 1).label_sequence > before
        assert db_session.scalars(select(Job.kind)).all() == [JobKind.REFIT]
        assert db_session.get_one(Image, 1).status is ImageStatus.LABELED


def test_living_workers__silent_ones_are_left_out(db: Database) -> None:
    with db.write() as db_session:
        extraction_workers.beat_extraction(db_session, "a", 1, "host", WorkerProgress(2.0, 9.0))
        db_session.execute(update(Worker).where(Worker.id == "b").values(heartbeat_at=utc_now() - LONG_AGO))
    with db.read() as db_session:
        assert extraction_workers.living_workers(db_session) == [WorkerProgress(2.0, 9.0)]
        assert extraction_workers.extraction_pids(db_session, "host") == {"a": 1, "b": 1}
        assert extraction_workers.extraction_pids(db_session, "other") == {}
