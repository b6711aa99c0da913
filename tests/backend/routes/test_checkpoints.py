"""Checkpoints over HTTP."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

import pytest
from starlette.testclient import TestClient

from db.enums import CheckpointKind, JobKind, JobState
from db.queries.head_trail import TRAIL_KEY
from db.tables.processes import Job
from db.tables.session import SessionInfo
from tests.saved_checkpoints import put_checkpoint, rows_of

OLD, NEW = ((1, 1), (2, 2), (3, 1)), ((1, 1), (2, 1), (4, 2))


@pytest.fixture
def shelf(classification_session: Any) -> Any:
    """The session, with a way to put checkpoints into it."""

    class Shelf:
        database = classification_session.database
        folder = classification_session.folder

        def put(self, stem: str, *arguments: Any, **more: Any) -> int:
            return put_checkpoint(self.folder, self.database, stem, *arguments, **more)

        def files(self) -> list[str]:
            folder = self.folder / "checkpoints"
            return sorted(path.name for path in folder.iterdir() if path.is_file())

    return Shelf()


def test_list_checkpoints__newest_first_with_what_a_person_looks_for(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1", OLD, accuracy=0.5)
    shelf.put("live-2", NEW, accuracy=0.75)
    newest, oldest = cla.get("/api/checkpoints").json()
    assert (newest["id"], oldest["id"], newest["parent_id"]) == (2, 1, 1)
    assert (newest["in_force"], newest["active"], oldest["in_force"]) == (True, False, False)
    assert (newest["n_labels"], newest["kind"], newest["name"], newest["pinned"]) == (3, "live", None, False)
    assert newest["metrics"]["held_out"]["accuracy"] == 0.75
    assert newest["size_bytes"] > 100


def test_list_checkpoints__in_pages(cla: TestClient, shelf: Any) -> None:
    for number in range(1, 6):
        shelf.put(f"live-{number}")
    everything = cla.get("/api/checkpoints")
    assert [row["id"] for row in everything.json()] == [5, 4, 3, 2, 1]
    assert (everything.headers["X-Total-Count"], "X-Next-Cursor" in everything.headers) == ("5", False)
    seen, cursor = [], "9"
    while cursor:
        page = cla.get(f"/api/checkpoints?limit=2&cursor={cursor}")
        seen.append([row["id"] for row in page.json()])
        assert page.headers["X-Total-Count"] == "5"
        cursor = page.headers.get("X-Next-Cursor", "")
    assert seen == [[5, 4], [3, 2], [1]]
    assert cla.get("/api/checkpoints?limit=0").status_code == 422


def test_get_in_force__whatever_page_it_is_on(cla: TestClient, shelf: Any) -> None:
    assert cla.get("/api/checkpoints/in-force").json() == {"checkpoint": None}
    for number in (1, 2):
        shelf.put(f"live-{number}")
    assert cla.get("/api/checkpoints/in-force").json()["checkpoint"]["id"] == 2
    cla.post("/api/checkpoints/1/activate")
    in_force = cla.get("/api/checkpoints/in-force").json()["checkpoint"]
    assert (in_force["id"], in_force["active"]) == (1, True)


def test_get_checkpoint__complete_provenance(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1", OLD, held_out=(3,))
    details = cla.get("/api/checkpoints/1").json()
    said = details["description"]
    assert details["problem"] is None
    assert said["code"]["libraries"].keys() >= {"python", "numpy", "torch"}
    assert said["code"]["fewclick"]
    assert said["extractor"]["name"] == "toy"
    assert said["config"]["training"]["extracted_weight"] == 0.3
    data = details["data"]
    assert (data["n_images"], data["n_training_images"], data["n_validation_images"]) == (3, 2, 1)
    assert [(row["name"], row["total"], row["by_origin"]) for row in data["by_class"]] == [
        ("cat", 2, {"human": 2}), ("dog", 1, {"human": 1}),
    ]  # fmt: skip
    page = cla.get("/api/checkpoints/1/data?offset=2&limit=1").json()
    assert page["total"] == 3
    assert page["items"] == [{"id": 3, "path": None, "revision": 1, "split": "validation", "by_class": {"1": 1}}]


def test_get_checkpoint__without_its_files_says_so(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1")
    for path in (shelf.folder / "checkpoints").rglob("*.*"):
        path.unlink()
    details = cla.get("/api/checkpoints/1").json()
    assert (details["size_bytes"], details["description"], details["data"]) == (None, {}, None)
    assert "gone" in details["problem"]
    assert "missing" in details["data_problem"]
    assert str(shelf.folder) not in details["data_problem"]
    assert cla.get("/api/checkpoints/1/data").status_code == 404
    response = cla.post("/api/checkpoints/1/activate")
    assert (response.status_code, response.json()["error"]) == (409, "ConflictError")


def test_activate__roll_back__release(cla: TestClient, shelf: Any) -> None:
    for number in (1, 2, 3):
        shelf.put(f"live-{number}")
    shelf.put("run-1", kind=CheckpointKind.RUN)
    # The newest live head is what predicts: before it comes 2, then 1. The run never predicted.
    assert cla.post("/api/checkpoints/rollback").json()["id"] == 2
    assert [row["id"] for row in cla.get("/api/checkpoints").json() if row["in_force"]] == [2]
    assert cla.post("/api/checkpoints/rollback").json()["id"] == 1
    assert cla.post("/api/checkpoints/rollback").status_code == 409
    assert cla.post("/api/checkpoints/release").json() == {"checkpoint": None}
    assert [row["id"] for row in cla.get("/api/checkpoints").json() if row["in_force"]] == [3]
    assert cla.post("/api/checkpoints/4/activate").json()["active"]
    assert cla.post("/api/checkpoints/rollback").json()["id"] == 3
    assert cla.post("/api/checkpoints/99/activate").status_code == 404


def test_activate__of_another_extractor_is_refused_with_the_reason(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1")
    with shelf.database.write() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        info.extractor = {**info.extractor, "name": "other", "resize": 128}
    response = cla.post("/api/checkpoints/1/activate")
    assert response.status_code == 409
    assert "features of toy (resize 64), this session has other (resize 128)" in response.json()["detail"]


def test_change__name_and_pin(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1")
    changed = cla.patch("/api/checkpoints/1", json={"name": "  before   the holidays "}).json()
    assert (changed["name"], changed["pinned"]) == ("before the holidays", False)
    assert cla.patch("/api/checkpoints/1", json={"pinned": True}).json()["name"] == "before the holidays"
    assert cla.patch("/api/checkpoints/1", json={"name": None}).json()["name"] is None
    for bad in ({"name": "x" * 81}, {"name": "\u0007"}, {"name": " "}, {"nome": "x"}):
        assert cla.patch("/api/checkpoints/1", json=bad).status_code in (400, 422)


def test_delete__takes_files_along_and_keeps_the_chain(cla: TestClient, shelf: Any) -> None:
    for number in (1, 2, 3):
        shelf.put(f"live-{number}")
    assert cla.delete("/api/checkpoints/2").status_code == 204
    assert [(row.id, row.parent_id) for row in rows_of(shelf.database)] == [(1, None), (3, 1)]
    assert shelf.files() == ["live-1.json", "live-1.safetensors", "live-3.json", "live-3.safetensors"]
    cla.patch("/api/checkpoints/1", json={"pinned": True})
    assert "unpin it first" in cla.delete("/api/checkpoints/1").json()["detail"]
    cla.post("/api/checkpoints/3/activate")
    assert "predicts now" in cla.delete("/api/checkpoints/3").json()["detail"]


def test_prune__says_what_goes_and_never_takes_what_is_needed(cla: TestClient, shelf: Any) -> None:
    for number in range(1, 8):
        shelf.put(f"live-{number}")
    cla.patch("/api/checkpoints/1", json={"pinned": True})
    cla.patch("/api/checkpoints/2", json={"name": "good"})
    cla.post("/api/checkpoints/3/activate")
    plan = cla.post("/api/checkpoints/prune", json={"keep": 1, "dry_run": True}).json()
    assert [row["id"] for row in plan["removed"]] == [5, 4]
    assert {row["id"]: row["reason"] for row in plan["kept"]} == {
        1: "it is pinned",
        2: "it has a name",
        3: "it predicts now",
        7: "the quality shown for the live head was measured on it",
    }
    assert plan["freed_bytes"] > 0
    assert len(rows_of(shelf.database)) == 7
    done = cla.post("/api/checkpoints/prune", json={"keep": 1, "only": [4]}).json()
    assert [row["id"] for row in done["removed"]] == [4]
    cla.post("/api/checkpoints/prune", json={"keep": 0})
    assert [(row.id, row.parent_id) for row in rows_of(shelf.database)] == [(1, None), (2, 1), (3, 2), (7, 3)]
    assert len(shelf.files()) == 8


def test_prune__sizes_are_asked_for_with_the_writers_let_in(
    cla: TestClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = shelf.folder / "adapters/work/.run-1.half.gone"
    half.mkdir(parents=True)
    (half / "state").write_bytes(b"x" * 1000)
    os.utime(half, (0, 0))
    walk, looks = os.walk, []

    def walk_and_write(top: Any) -> Any:
        connection = sqlite3.connect(shelf.folder / "annotations.db", timeout=0, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")  # fails at once where another writer is at work
        connection.execute("ROLLBACK")
        connection.close()
        looks.append(top)
        return walk(top)

    monkeypatch.setattr(os, "walk", walk_and_write)
    done = cla.post("/api/checkpoints/prune", json={"keep": 1}).json()
    assert (done["leftover_files"], done["freed_bytes"], half.exists()) == (1, 1000, False)
    assert looks == [half]


def test_compare__what_differs(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1", OLD, accuracy=0.5, config={"training": {"extracted_weight": 0.3}})
    shelf.put("live-2", NEW, accuracy=0.75, config={"training": {"extracted_weight": 1.0}}, held_out=(4,))
    found = cla.get("/api/checkpoints/compare?a=1&b=2").json()
    assert found["config"] == [{"key": "training.extracted_weight", "a": 0.3, "b": 1.0}]
    assert found["config_equal"] > 5
    data = found["data"]
    assert (data["images_added"], data["images_removed"], data["images_changed"]) == (1, 1, 1)
    assert (data["identical"], data["same_held_out"]) == (False, False)
    columns = ("a", "b", "added", "removed", "changed_to", "changed_from")
    counts = {row["name"]: tuple(row[key] for key in columns) for row in data["classes"]}
    assert counts == {"cat": (2, 2, 0, 1, 1, 0), "dog": (1, 1, 1, 0, 0, 1)}
    accuracy, loss, *_ = [row for row in found["metrics"] if row["key"] in ("held_out.accuracy", "held_out.loss")]
    assert (accuracy["a"], accuracy["b"], accuracy["better"], loss["better"]) == (0.5, 0.75, "b", "b")
    assert found["measurement"] == {"state": "none", "stale": False, "error": None, "result": None}


def test_compare__of_one_with_itself_or_nothing(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1")
    assert cla.get("/api/checkpoints/compare?a=1&b=1").status_code == 400
    assert cla.get("/api/checkpoints/compare?a=1&b=9").status_code == 404
    assert cla.get("/api/checkpoints/compare?a=1").status_code == 422


def test_measure__is_asked_for_once_and_kept_until_labels_change(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1", OLD)
    shelf.put("live-2", NEW)
    for _ in range(2):
        response = cla.post("/api/checkpoints/compare?a=1&b=2")
        assert (response.status_code, response.json()["state"]) == (202, "queued")
    with shelf.database.write() as db_session:
        (job,) = db_session.query(Job).filter(Job.kind == JobKind.COMPARE)
        assert job.payload == {"checkpoint_ids": [1, 2]}
        job.state, job.result = JobState.DONE, {"label_sequence": 0}
    assert cla.post("/api/checkpoints/compare?a=1&b=2").json()["state"] == "done"
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    measurement = cla.get("/api/checkpoints/compare?a=1&b=2").json()["measurement"]
    assert (measurement["state"], measurement["stale"]) == ("done", True)
    assert cla.post("/api/checkpoints/compare?a=1&b=2").json()["state"] == "queued"


def test_measure__of_what_is_damaged_is_refused(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1", OLD)
    shelf.put("live-2", NEW)
    (shelf.folder / "checkpoints" / "live-1.json").write_text('{"format_version": 9}')
    response = cla.post("/api/checkpoints/compare?a=1&b=2")
    assert response.status_code == 409
    assert "format_version is 9, this version reads 1 and 2" in response.json()["detail"]


def test_roll_back__by_the_order_in_which_heads_predicted(cla: TestClient, shelf: Any) -> None:
    for number in (1, 2, 3):
        shelf.put(f"live-{number}")
    shelf.put("run-1", kind=CheckpointKind.RUN)

    def can_roll_back() -> bool:
        (told,) = {row["can_roll_back"] for row in cla.get("/api/checkpoints").json()}
        return bool(told)

    cla.post("/api/checkpoints/4/activate")
    cla.post("/api/checkpoints/2/activate")
    # Before 2 the run's head predicted, though its id is larger; before that the live head, then its earlier states.
    assert can_roll_back()
    assert [cla.post("/api/checkpoints/rollback").json()["id"] for _ in range(4)] == [4, 3, 2, 1]
    assert not can_roll_back()
    assert cla.post("/api/checkpoints/rollback").status_code == 409


def test_roll_back__to_a_live_head_that_was_not_saved(cla: TestClient, shelf: Any) -> None:
    shelf.put("live-1")
    with shelf.database.write() as db_session:
        db_session.get_one(SessionInfo, 1).label_sequence += 1
    cla.post("/api/checkpoints/1/activate")
    assert cla.post("/api/checkpoints/rollback").json() is None
    assert not any(row["in_force"] for row in cla.get("/api/checkpoints").json())
    assert cla.post("/api/checkpoints/rollback").json()["id"] == 1


def test_roll_back__in_a_session_of_a_version_without_a_trail(cla: TestClient, shelf: Any) -> None:
    for number in (1, 2):
        shelf.put(f"live-{number}")
    with shelf.database.write() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        info.config = {key: value for key, value in info.config.items() if key != TRAIL_KEY}
    assert cla.post("/api/checkpoints/rollback").json()["id"] == 1
