"""Runs over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from starlette.testclient import TestClient

from db.enums import JobKind
from db.queries.runs import start_next_run
from db.tables.learning import Run, RunEpoch
from db.tables.processes import Job


def label(client: TestClient) -> None:
    assert client.put("/api/images/1/annotations", json={"class_id": 1}).status_code == 200


def test_get_training__before_the_first_run(cla: TestClient) -> None:
    training = cla.get("/api/training").json()
    assert (training["state"], training["run_id"], training["train_loss"]) == ("IDLE", None, [])


def test_start_training__queues_a_run_and_its_job_once(cla: TestClient, classification_session: Any) -> None:
    assert "nothing is labelled yet" in cla.post("/api/training/start").json()["detail"]
    label(cla)
    for _ in range(2):
        response = cla.post("/api/training/start")
        assert response.status_code == 202
        assert (response.json()["state"], response.json()["run_id"]) == ("QUEUED", 1)
    with classification_session.database.read() as db_session:
        jobs = list(db_session.scalars(select(Job).where(Job.kind == JobKind.TRAIN)))
    assert [job.image_id for job in jobs] == [1]


def test_start_training__during_a_run_is_not_lost(cla: TestClient, classification_session: Any) -> None:
    label(cla)
    cla.post("/api/training/start")
    with classification_session.database.write() as db_session:
        run = start_next_run(db_session)
        assert run is not None
        db_session.add_all([RunEpoch(run_id=run.id, epoch=1, train_loss=0.5), RunEpoch(run_id=run.id, epoch=2,
                            train_loss=0.25, val_loss=0.3)])  # fmt: skip
        run.epoch = 2
        run.best_epoch = 2
    training = cla.post("/api/training/start").json()
    assert (training["state"], training["run_id"], training["epoch"], training["best_epoch"]) == ("RUNNING", 1, 2, 2)
    assert (training["train_loss"], training["val_loss"]) == ([0.5, 0.25], [None, 0.3])
    assert cla.post("/api/training/stop").json()["stop_requested"]
    assert cla.post("/api/training/stop").status_code == 202


def test_list_runs__newest_first_page_by_page(cla: TestClient, classification_session: Any) -> None:
    assert cla.get("/api/runs").json() == {"items": [], "next_cursor": None, "total": 0}
    label(cla)
    for _ in range(3):
        cla.post("/api/training/start")
        cla.post("/api/training/stop")
    with classification_session.database.write() as db_session:
        db_session.get_one(Run, 2).metrics = {"held_out": {"loss": 0.5}, "segments": [{"after_epoch": 0}]}
    page = cla.get("/api/runs?limit=2").json()
    assert [run["id"] for run in page["items"]] == [3, 2]
    assert (page["total"], page["next_cursor"]) == (3, 2)
    second = page["items"][1]
    assert (second["held_out"], second["live"], second["checkpoint_id"]) == ({"loss": 0.5}, None, None)
    assert (second["state"], second["reason"], second["segments"]) == ("FINISHED", "stopped", [{"after_epoch": 0}])
    rest = cla.get(f"/api/runs?limit=2&cursor={page['next_cursor']}").json()
    assert ([run["id"] for run in rest["items"]], rest["next_cursor"]) == ([1], None)


def test_get_training__of_an_earlier_run(cla: TestClient) -> None:
    label(cla)
    for _ in range(2):
        cla.post("/api/training/start")
        cla.post("/api/training/stop")
    assert cla.get("/api/training").json()["run_id"] == 2
    assert cla.get("/api/training?run_id=1").json()["run_id"] == 1
    missing = cla.get("/api/training?run_id=9")
    assert (missing.status_code, "there is no run 9" in missing.json()["detail"]) == (404, True)
