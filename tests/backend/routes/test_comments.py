"""Comments on images."""

from __future__ import annotations

import csv
import io
from typing import Any

from starlette.testclient import TestClient


def test_put_comment__stands_beside_the_annotation(seg: TestClient) -> None:
    assert seg.get("/api/images/1/comment").json() == {"image_id": 1, "text": "", "revision": 0}
    saved = seg.put("/api/images/1/comment", json={"text": "  blurred?\nask Ada ", "revision": 0}).json()
    assert saved == {"image_id": 1, "text": "blurred?\nask Ada", "revision": 1}
    image = seg.get("/api/images/1").json()
    assert (image["comment"], image["comment_revision"]) == ("blurred?\nask Ada", 1)
    state = seg.get("/api/images/1/annotations").json()
    assert (state["revision"], state["can_undo"], image["status"]) == (0, False, "unlabeled")
    assert seg.put("/api/images/1/comment", json={"text": "", "revision": 1}).json()["revision"] == 2
    assert seg.get("/api/images/1").json()["comment"] is None


def test_put_comment__stale_revision(seg: TestClient) -> None:
    seg.put("/api/images/1/comment", json={"text": "first", "revision": 0})
    answer = seg.put("/api/images/1/comment", json={"text": "second", "revision": 0})
    assert answer.status_code == 409
    assert answer.json()["current"] == {"image_id": 1, "text": "first", "revision": 1}
    # The answer to an earlier try was lost.
    assert seg.put("/api/images/1/comment", json={"text": "first", "revision": 0}).json()["revision"] == 1
    assert seg.put("/api/images/1/comment", json={"text": "second"}).json()["revision"] == 2


def test_put_comment__refusals(seg: TestClient) -> None:
    for text in ("x" * 2001, "nul\0", 3):
        answer = seg.put("/api/images/1/comment", json={"text": text})
        assert answer.status_code == 422, text
    assert seg.put("/api/images/1/comment", json={"text": "x" * 2000}).status_code == 200
    assert seg.put("/api/images/99/comment", json={"text": "x"}).status_code == 404


def test_list_images__by_comment(seg: TestClient) -> None:
    seg.put("/api/images/4/comment", json={"text": "100% Blurred"})
    assert [image["id"] for image in seg.get("/api/images", params={"q": "blurred"}).json()["items"]] == [4]
    assert [image["id"] for image in seg.get("/api/images", params={"q": "0% b"}).json()["items"]] == [4]
    assert seg.get("/api/images", params={"q": "100%x"}).json()["items"] == []


def test_export__comments(cla: TestClient) -> None:
    cla.put("/api/images/3/annotations", json={"class_id": 2})
    assert "comment" not in cla.get("/api/export?format=csv").text
    cla.put("/api/images/3/comment", json={"text": 'two, "quoted"\nlines'})
    cla.put("/api/images/4/comment", json={"text": "no answer yet"})
    rows = list(csv.DictReader(io.StringIO(cla.get("/api/export?format=csv").text)))
    assert [(row["image_id"], row["comment"].splitlines()) for row in rows] == [("3", ['two, "quoted"', "lines"])]
    images = cla.get("/api/export?format=json").json()["images"]
    assert [image["comment"] for image in images[1:4]] == [None, 'two, "quoted"\nlines', "no answer yet"]


def test_list_upcoming_images__as_next_would_give_them(seg: TestClient, segmentation_session: Any) -> None:
    def ids(**params: Any) -> list[int]:
        return [image["id"] for image in seg.get("/api/images/upcoming", params=params).json()["items"]]

    assert ids(current_id=2, limit=3) == [3, 4, 5]
    assert ids(current_id=2, limit=3, q="image_5") == [6]
    segmentation_session.change_images({2: {"uncertainty": 0.2}, 5: {"uncertainty": 0.4}, 3: {"uncertainty": 0.1}})
    assert ids(strategy="least_confident", current_id=5) == [2, 3]
    # It decides nothing: what is looked at ahead may still become a validation image.
    with segmentation_session.database.read() as db_session:
        assert db_session.connection().exec_driver_sql("select sum(picked_by_model) from images").scalar() == 0
