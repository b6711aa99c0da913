"""What people look at says which features are made first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from db.enums import FeatureState, ImageStatus
from db.queries.feature_requests import NEXT, OPEN, REST
from db.tables.images import Image
from db.tasks import Task


@pytest.fixture
def pending(session_maker: Callable[..., Any]) -> Any:
    """Six images without features."""
    return session_maker("pending", Task.SEGMENTATION, features=False)


@pytest.fixture
def client(pending: Any, serve: Callable[..., TestClient]) -> TestClient:
    return serve(pending)


def priorities(session: Any) -> list[int]:
    with session.database.read() as db_session:
        return list(db_session.scalars(select(Image.feature_priority).order_by(Image.id)))


def make_ready(session: Any, *image_ids: int) -> None:
    with session.database.write() as db_session:
        change = update(Image).where(Image.id.in_(image_ids))
        db_session.execute(change.values(features=FeatureState.READY, pooled_ready=True, feature_priority=REST))


def test_get_image__the_one_opened_last_comes_first(client: TestClient, pending: Any) -> None:
    client.get("/api/images/2")
    client.get("/api/images/4")
    assert priorities(pending) == [REST, REST, REST, OPEN, REST, REST]
    assert client.get("/api/images/5/prediction").status_code == 404
    assert priorities(pending) == [REST, REST, REST, REST, OPEN, REST]
    make_ready(pending, 1)
    client.get("/api/images/1")
    assert priorities(pending)[0] == REST


def test_get_annotations__may_be_ahead_of_time(client: TestClient, pending: Any) -> None:
    client.get("/api/images/2")
    client.get("/api/images/3/annotations")
    assert priorities(pending)[1:3] == [OPEN, NEXT]


def test_put_annotations__on_a_pending_image_is_kept_and_comes_first(client: TestClient, pending: Any) -> None:
    points = [{"x": 3.5, "y": 4.5, "class_id": pending.class_ids[0]}]
    assert client.put("/api/images/3/annotations", json={"points": points}).status_code == 200
    assert priorities(pending)[2] == OPEN
    assert client.get("/api/images/3/annotations").json()["revision"] == 1
    # The head is to learn from it soon, although the person has gone on.
    client.get("/api/images/5")
    assert priorities(pending)[2] == NEXT
    assert priorities(pending)[4] == OPEN


def test_get_next_image__prepares_what_follows(client: TestClient, pending: Any) -> None:
    assert client.get("/api/images/next", params={"current_id": 1}).json()["id"] == 2
    assert priorities(pending) == [REST, NEXT, NEXT, NEXT, REST, REST]


def test_get_next_image__one_that_is_ready_goes_first(client: TestClient, pending: Any) -> None:
    make_ready(pending, 4, 6)
    with pending.database.write() as db_session:
        db_session.execute(update(Image).where(Image.id == 4).values(status=ImageStatus.LABELED))
    assert client.get("/api/images/next", params={"current_id": 1}).json()["id"] == 6
    assert client.get("/api/images/next", params={"current_id": 6}).json()["id"] == 1, "nothing ready is left"
    random = client.get("/api/images/next", params={"current_id": 1, "strategy": "random"}).json()
    assert random["id"] in (2, 3, 5, 6)


def test_list_images__failed_ones_are_not_unlabelled(client: TestClient, pending: Any) -> None:
    with pending.database.write() as db_session:
        failed = update(Image).where(Image.id.in_((2, 3)))
        db_session.execute(failed.values(features=FeatureState.FAILED, failure="damaged"))
    unlabeled = client.get("/api/images", params={"status": "unlabeled"}).json()
    assert [image["id"] for image in unlabeled["items"]] == [1, 4, 5, 6]
    failed_page = client.get("/api/images", params={"features": "failed"}).json()
    assert ([image["id"] for image in failed_page["items"]], failed_page["total"]) == ([2, 3], 2)
    stats = client.get("/api/stats").json()
    assert (stats["images"], stats["by_status"]["unlabeled"], stats["by_features"]["failed"]) == (6, 4, 2)
