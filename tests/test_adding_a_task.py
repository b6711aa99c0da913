"""docs/adding_a_task.md: a task of one's own needs its registrations and nothing else of ours changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from backend.main import create_app
from backend.openapi import render
from backend.settings import Settings
from backend.task_handlers.registry import HANDLERS
from db.enums import Split
from db.tables.images import Image
from db.tasks import TASKS
from initialization.config_file import load_config
from ml_service.context import open_context
from ml_service.settings import ServiceSettings
from ml_service.task_factory import MAKERS
from ml_service.worker import Worker
from models.base import Features
from models.feature_store import FeatureStore
from tests.conftest import EXTRACTOR, ReadySession
from tests.initialization.fakes import write_config
from tests.ml_service.toy_session import work_off
from tests.toy_task import TEXTURE, TextureHandler, make_texture_parts

ROOT = Path(__file__).resolve().parents[1]
SMOOTH, ROUGH = 1, 2


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registrations of the recipe, and no other."""
    torch.set_num_threads(1)
    monkeypatch.setitem(TASKS, TEXTURE.name, TEXTURE)
    monkeypatch.setitem(HANDLERS, TEXTURE, TextureHandler())
    monkeypatch.setitem(MAKERS, TEXTURE, make_texture_parts)


@pytest.fixture
def session(session_maker: Callable[..., ReadySession]) -> ReadySession:
    """Odd images smooth, even ones rough."""
    made = session_maker("textures", TEXTURE)
    store = FeatureStore(made.folder, EXTRACTOR)
    with made.database.read() as db_session:
        for image in db_session.query(Image):
            scale = 0.2 if _true_class(image.id) == SMOOTH else 2.0
            patches = np.random.default_rng(image.id).normal(scale=scale, size=(6, 8, EXTRACTOR.dim))
            pooled = np.zeros(EXTRACTOR.pooled_dim, np.float32)
            store.write(image.content_hash or "", Features(patches.astype(np.float32), pooled))
    return made


@pytest.fixture
def client(session: ReadySession, tmp_path: Path) -> Iterator[TestClient]:
    """The real application."""
    app = create_app(Settings(session=session.folder, frontend_dist=tmp_path / "dist"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def worker(session: ReadySession) -> Iterator[Worker]:
    """The real ML service, step by step."""
    context = open_context(session.folder, ServiceSettings(live_checkpoint_delay_s=0, quiet_s=0))
    worker = Worker(context)
    worker.start()
    yield worker
    worker.close()
    context.db.close()


def _true_class(image_id: int) -> int:
    return SMOOTH if image_id % 2 else ROUGH


def _label(client: TestClient, *image_ids: int) -> None:
    for image_id in image_ids:
        body = {"revision": 0, "class_id": _true_class(image_id)}
        assert client.put(f"/api/images/{image_id}/annotations", json=body).status_code == 200


def test_recipe__put_refit_get(client: TestClient, worker: Worker) -> None:
    assert client.get("/api/config").json()["task"] == "texture"
    assert client.get("/api/images/5/prediction").status_code == 404
    _label(client, 1, 2, 3, 4)
    work_off(worker)
    for image_id in range(1, 7):
        prediction = client.get(f"/api/images/{image_id}/prediction").json()
        assert prediction["annotation_revision"] == int(image_id <= 4)
        assert not prediction["stale"]
        assert [entry["class_id"] for entry in prediction["probabilities"]] == [_true_class(image_id)]
    assert client.post("/api/images/5/accept-prediction", json={}).json()["label"]["class_id"] == SMOOTH
    assert client.post("/api/images/1/annotations/undo").json()["label"] is None


def test_recipe__handler_validates_and_names_its_formats(client: TestClient) -> None:
    refused = client.put("/api/images/1/annotations", json={"points": []})
    assert (refused.status_code, "whole image" in refused.json()["detail"]) == (400, True)
    assert client.get("/api/images/1/annotations").json()["revision"] == 0
    assert "this is a texture session" in client.get("/api/images/1/prediction/map").json()["detail"]
    assert "texture session: choose one of csv" in client.get("/api/export?format=coco").json()["detail"]
    _label(client, 2)
    _header, row = client.get("/api/export?format=csv").text.splitlines()
    assert row == "2,image_1.png,2,dog,human"


def test_recipe__full_run(client: TestClient, worker: Worker, session: ReadySession) -> None:
    _label(client, *range(1, 7))
    with session.database.write() as db_session:
        for image in db_session.query(Image):
            image.split = Split.VALIDATION if image.id > 4 else Split.TRAIN
    assert client.patch("/api/config", json={"max_epochs": 12, "head": "mlp"}).status_code == 200
    assert client.post("/api/training/start").status_code == 202
    work_off(worker)
    training = client.get("/api/training").json()
    assert (training["state"], training["epoch"] > 0) == ("FINISHED", True)
    assert training["metrics"]["held_out"]["n_samples"] == 2


def test_recipe__config_and_openapi_know_the_name(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert load_config(write_config(tmp_path, task="texture")).task is TEXTURE
    assert '"texture"' in render()


def test_registers__hold_the_same_tasks() -> None:
    assert list(TASKS.values()) == list(HANDLERS) == list(MAKERS)
    assert all(handler.task is task for task, handler in HANDLERS.items())


def test_doc__names_files_that_exist() -> None:
    text = (ROOT / "docs" / "adding_a_task.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([\w/]+/[\w]+\.(?:py|ts|md))`", text)
    assert len(paths) > 10
    for path in paths:
        shipped = path.replace("NAMEUI", "ClassificationUI").replace("NAME", "classification")
        assert (ROOT / shipped).exists(), path
