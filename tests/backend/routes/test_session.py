"""Health, configuration, sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from starlette.testclient import TestClient

from backend.schemas.session import TrainingPatch
from backend.settings import Sibling
from db.clock import utc_now
from db.enums import FeatureState
from db.queries.extraction_workers import WorkerProgress, beat_extraction
from db.queries.session_info import TrainingSettings
from db.tables.images import Image
from db.tables.processes import Worker
from db.tasks import Task
from tests.conftest import make_session


def test_get_health__with_and_without_an_ml_service(seg: TestClient, segmentation_session: Any) -> None:
    health = seg.get("/api/health").json()
    assert (health["status"], health["database"]) == ("degraded", "sqlite")
    assert health["ml_service"] == {"alive": False, "starting": False, "heartbeat_age_s": None}
    with segmentation_session.database.write() as db_session:
        db_session.add(Worker(id="w", pid=1, host="h"))
    health = seg.get("/api/health").json()
    assert health["status"] == "ok"
    assert health["ml_service"]["alive"]
    with segmentation_session.database.write() as db_session:
        db_session.get_one(Worker, "w").heartbeat_at = utc_now() - dt.timedelta(seconds=60)
    ml_service = seg.get("/api/health").json()["ml_service"]
    assert not ml_service["alive"]
    assert ml_service["heartbeat_age_s"] >= 60


def test_get_health__services_that_fewclick_up_is_starting(
    segmentation_session: Any, serve: Callable[..., TestClient]
) -> None:
    with segmentation_session.database.write() as db_session:
        db_session.execute(update(Image).where(Image.id == 1).values(features=FeatureState.PENDING))
    health = serve(segmentation_session, supervised=True).get("/api/health").json()
    assert health["ml_service"]["starting"]
    assert health["extraction"]["state"] == "starting"


def test_get_health__extraction(seg: TestClient, segmentation_session: Any) -> None:
    assert seg.get("/api/health").json()["extraction"] == {
        "state": "done", "total": 6, "done": 6, "failed": 0, "pooled_done": 0, "rate_images_s": None, "eta_s": None,
        "message": None,
    }  # fmt: skip

    def health(**progress: Any) -> Any:
        with segmentation_session.database.write() as db_session:
            beat_extraction(db_session, "e", 1, "h", WorkerProgress(**progress))
        return seg.get("/api/health").json()["extraction"]

    with segmentation_session.database.write() as db_session:
        db_session.execute(update(Image).where(Image.id <= 4).values(features=FeatureState.PENDING))
    assert seg.get("/api/health").json()["extraction"]["state"] == "stopped"
    assert (health()["state"], health()["eta_s"]) == ("running", None)
    running = health(images_per_s=0.5, pooled_per_s=6.0)
    assert (running["rate_images_s"], running["eta_s"]) == (0.5, 9.0)
    failed = health(message="weights_path: /home/somebody/vits16.pth is missing")
    assert (failed["state"], failed["message"]) == ("failed", "weights_path: vits16.pth is missing")


def test_get_config(seg: TestClient) -> None:
    config = seg.get("/api/config").json()
    assert config["task"] == "segmentation"
    assert config["classes"] == [
        {"id": 1, "name": "foreground", "color": "#00FF00", "group": None, "parent_id": None},
        {"id": 2, "name": "background", "color": "#FF0000", "group": None, "parent_id": None},
    ]
    assert config["extractor"] == {"name": "toy", "dim": 6, "patch_size": 8, "resize": 64}
    assert config["training"]["prediction_interval"] == 20
    assert config["session"]["name"] == "toy segmentation"


@pytest.mark.parametrize("wrap", [lambda changes: changes, lambda changes: {"training": changes}])
def test_update_config__both_forms(seg: TestClient, wrap: Callable[[Any], Any]) -> None:
    response = seg.patch("/api/config", json=wrap({"prediction_interval": 7, "strategy": "random"}))
    assert response.status_code == 200
    for config in (response.json(), seg.get("/api/config").json()):
        assert (config["training"]["prediction_interval"], config["training"]["strategy"]) == (7, "random")
        assert config["training"]["max_points"] == 500


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"prediction_interval": 0}, 400, "prediction_interval is 0"),
        ({"strategy": "random", "confidence_threshold": 0.5}, 400, "confidence_threshold is 0.5"),
        ({"prediction_intervall": 3}, 422, "prediction_intervall is not known here"),
        ({"strategy": "best"}, 422, "strategy"),
    ],
)
def test_update_config__bad_values_change_nothing(seg: TestClient, body: Any, status: int, message: str) -> None:
    before = seg.get("/api/config").json()
    response = seg.patch("/api/config", json=body)
    assert response.status_code == status
    assert message in response.json()["detail"]
    assert seg.get("/api/config").json() == before


def test_training_patch__knows_every_parameter() -> None:
    assert TrainingPatch.model_fields.keys() == TrainingSettings.model_fields.keys()


def test_list_sessions(segmentation_session: Any, serve: Callable[..., TestClient]) -> None:
    siblings = (Sibling(name="a", task=Task.SEGMENTATION, url="/s/a/", current=True),)
    client = serve(segmentation_session, sessions=siblings)
    assert client.get("/api/sessions").json() == [
        {"name": "a", "task": "segmentation", "url": "/s/a/", "current": True}
    ]


def test_patch_config__heads_of_points(seg: TestClient) -> None:
    assert seg.get("/api/config").json()["heads"] == ["linear", "conv", "mlp"]
    assert seg.patch("/api/config", json={"head": "conv"}).json()["training"]["head"] == "conv"


def test_patch_config__heads_of_images(cla: TestClient) -> None:
    assert cla.get("/api/config").json()["heads"] == ["linear", "mlp"]
    refused = cla.patch("/api/config", json={"head": "conv", "follow_labels": False})
    assert (refused.status_code // 100, "has 'linear' or 'mlp'" in refused.json()["detail"]) == (4, True)
    assert cla.get("/api/config").json()["training"]["follow_labels"] is True


@pytest.mark.parametrize("wrap", [lambda values: values, lambda values: {"training": values}])
def test_patch_config__old_name_of_a_head(seg: TestClient, wrap: Callable[[Any], Any]) -> None:
    assert seg.patch("/api/config", json=wrap({"head": "nonlinear"})).json()["training"]["head"] == "conv"


def test_patch_config__old_name_of_a_head_of_images(cla: TestClient) -> None:
    assert cla.patch("/api/config", json={"head": "nonlinear"}).json()["training"]["head"] == "mlp"


def test_start_page__lists_served_sessions_and_those_of_the_root(
    serve: Any, segmentation_session: Any, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    other = make_session(root / "birds", Task.CLASSIFICATION)
    other.database.close()
    before = sorted(path.name for path in other.folder.iterdir())
    (root / "broken").mkdir()
    (root / "broken" / "annotations.db").write_bytes(b"no database")
    newer = make_session(root / "newer", Task.CLASSIFICATION)
    with newer.database.write() as db_session:
        db_session.execute(text("PRAGMA ignore_check_constraints = 1"))
        db_session.execute(text("UPDATE images SET status = 'a status of tomorrow'"))
    newer.database.close()
    client = serve(segmentation_session, sessions_root=root)
    client.post("/api/images/1/annotations/skip")
    found = client.get("/api/start").json()
    own, *others = found["sessions"]
    assert (own["url"], own["current"], own["command"]) == ("./", True, None)
    assert own["folder"] == f"{tmp_path.name}/session"  # "session" alone would tell it from no other
    assert (own["progress"]["task"], own["progress"]["images"], own["progress"]["skipped"]) == ("segmentation", 6, 1)
    assert own["thumbnails"][0].startswith("./api/images/1/thumbnail")
    by_folder = {entry["folder"]: entry for entry in others}
    assert by_folder["birds"]["progress"]["task"] == "classification"
    assert by_folder["birds"]["command"].startswith("fewclick up --session ")
    assert by_folder["newer"]["problem"].startswith("it holds values that this version")
    assert by_folder["broken"]["problem"] == "its database cannot be read"
    assert str(tmp_path) not in str(found)
    assert sorted(path.name for path in other.folder.iterdir()) == before
