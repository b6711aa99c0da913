"""Annotations over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

PUT = "/api/images/1/annotations"


def test_put_annotations__round_trip(seg: TestClient) -> None:
    state = seg.put(PUT, json={"revision": 0, "points": [{"x": 0, "y": 48, "class_id": 2}]}).json()
    assert state == seg.get(PUT).json()
    assert state["revision"] == 1
    assert state["points"] == [{"id": state["points"][0]["id"], "x": 0, "y": 48, "class_id": 2, "origin": "human"}]
    # What came back may be sent again as it is.
    assert seg.put(PUT, json={"revision": 1, "points": state["points"]}).json() == state


def test_put_annotations__a_client_cannot_choose_the_origin(seg: TestClient) -> None:
    points = [{"x": 1, "y": 1, "class_id": 1, "origin": "imported"}]
    assert seg.put(PUT, json={"points": points}).json()["points"][0]["origin"] == "human"


def test_put_annotations__a_stale_revision_gets_the_current_state(seg: TestClient) -> None:
    current = seg.put(PUT, json={"revision": 0, "points": [{"x": 1, "y": 1, "class_id": 1}]}).json()
    response = seg.put(PUT, json={"revision": 0, "points": []})
    assert response.status_code == 409
    body = response.json()
    assert (body["error"], body["current"]) == ("ConflictError", current)
    assert seg.put(PUT, json={"points": []}).status_code == 200


def test_annotations__undo_redo_skip_clear(cla: TestClient) -> None:
    cla.put(PUT, json={"class_id": 2})
    assert cla.post(f"{PUT}/skip").json()["skipped"]
    assert cla.post(f"{PUT}/undo").json()["label"] == {"class_id": 2, "origin": "human"}
    assert cla.post(f"{PUT}/redo").json()["skipped"]
    assert not cla.delete(PUT).json()["skipped"]
    assert cla.get("/api/images/1").json()["revision"] == 5


@pytest.mark.parametrize("step", ["undo", "redo", "skip", "clear"])
def test_annotations__a_step_from_a_stale_revision_gets_the_current_state(cla: TestClient, step: str) -> None:
    def take(revision: int | None) -> Response:
        if step == "clear":
            return cla.delete(PUT, params={} if revision is None else {"revision": revision})
        return cla.post(f"{PUT}/{step}", json=None if revision is None else {"revision": revision})

    cla.put(PUT, json={"class_id": 2})
    cla.put(PUT, json={"class_id": 3})
    current = cla.post(f"{PUT}/undo", json={"revision": 2}).json()
    response = take(2)
    assert response.status_code == 409
    assert (response.json()["error"], response.json()["current"]) == ("ConflictError", current)
    assert cla.get(PUT).json() == current
    assert take(3).json()["revision"] == 4


def test_put_annotations__points_in_a_classification_session(cla: TestClient) -> None:
    response = cla.put(PUT, json={"points": []})
    assert response.status_code == 400
    assert "this is a classification session" in response.json()["detail"]


def test_put_annotations__a_removed_class_is_unknown(cla: TestClient) -> None:
    cla.delete("/api/classes/2")
    response = cla.put(PUT, json={"class_id": 2})
    assert response.status_code == 400
    assert "the classes are 1 (cat), 3 (bird)" in response.json()["detail"]


def test_put_annotations__survives_a_restart(classification_session: Any, serve: Any, cla: TestClient) -> None:
    cla.put(PUT, json={"class_id": 3})
    second = serve(classification_session)
    assert second.get(PUT).json()["label"]["class_id"] == 3


def test_undetermined__is_an_answer_with_nothing_to_learn(cla: TestClient) -> None:
    cla.put(PUT, json={"class_id": 1})
    state = cla.post(f"{PUT}/undetermined", json={"revision": 1}).json()
    assert (state["undetermined"], state["skipped"], state["label"]) == (True, False, None)
    assert cla.post(f"{PUT}/undetermined", json={"revision": 1}).status_code == 409
    assert cla.get("/api/images/1").json()["status"] == "undetermined"
    assert [i["id"] for i in cla.get("/api/images", params={"status": "undetermined"}).json()["items"]] == [1]
    assert cla.get("/api/stats").json()["by_status"]["undetermined"] == 1
    proposed = {
        cla.get("/api/images/next", params={"current_id": n, "strategy": "sequential"}).json()["id"]
        for n in range(1, 7)
    }
    assert 1 not in proposed
    assert cla.get("/api/images/next", params={"status": "undetermined"}).json()["id"] == 1
    exported = cla.get("/api/export", params={"format": "csv"}).text.splitlines()
    assert exported == ["image_id,path,class_id,class,origin,undetermined", "1,image_0.png,,,,1"]
    assert cla.get("/api/export", params={"format": "json"}).json()["images"][0]["undetermined"]
    assert cla.post(f"{PUT}/undo").json()["label"]["class_id"] == 1
    assert cla.post(f"{PUT}/redo").json()["undetermined"]
    assert not cla.put(PUT, json={"class_id": 2}).json()["undetermined"]
