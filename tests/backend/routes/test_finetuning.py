"""Fine-tuning over HTTP: whether it can be done, starting it, what is offered, adopting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from db.enums import CheckpointKind, FeatureState, RunKind
from db.queries.checkpoints import save_checkpoint_row
from db.queries.runs import request_stop
from db.tables.images import Image
from db.tables.learning import Run
from db.tables.session import SessionInfo
from ml_service.finetuning.adoption import adopt
from models.adapter_files import AdapterDescription, write_adapter
from models.base import ExtractorInfo
from tests.conftest import ReadySession

FROZEN = {"loss": 0.9, "accuracy": 0.6, "mean_iou": 0.5, "n_samples": 28, "n_images": 7}
TUNED = {**FROZEN, "loss": 0.3, "accuracy": 0.9, "mean_iou": 0.8}


@pytest.fixture
def vit(segmentation_session: ReadySession, serve: Callable[..., TestClient]) -> TestClient:
    """Client of a session whose extractor calls itself a ViT; nothing here runs it."""
    with segmentation_session.database.write() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        info.extractor = {**info.extractor, "name": "dinov3_vits16"}
    client = serve(segmentation_session)
    assert client.put("/api/images/2/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]}).is_success
    return client


def add_adapter(session: ReadySession, *, better: bool = True) -> int:
    with session.database.write() as db_session:
        base = db_session.get_one(SessionInfo, 1).extractor
        path = "adapters/run-5.safetensors"
        write_adapter(session.folder / path, b"factors", AdapterDescription(base, 1.0))
        metrics = {"held_out": TUNED, "frozen": FROZEN, "better": better}
        return save_checkpoint_row(db_session, CheckpointKind.ADAPTER, path, metrics=metrics)[0].id


def test_get_finetuning__says_why_not(seg: TestClient) -> None:
    state = seg.get("/api/training/finetuning").json()
    assert (state["available"], state["adopted"], state["offer"]) == (False, False, None)
    assert "the extractor is toy, and only DINOv3 and DINOv2 ViTs can be fine-tuned" in state["reason"]


def test_start_training__of_an_extractor_that_cannot_be_fine_tuned(seg: TestClient) -> None:
    seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]})
    response = seg.post("/api/training/start", json={"kind": "finetune"})
    assert response.status_code == 409
    assert "name them in weights_path" in response.json()["detail"]


@pytest.mark.parametrize("body", [{"kind": "dream"}, {"sort": "finetune"}, []])
def test_start_training__refuses_what_is_no_kind(vit: TestClient, body: Any) -> None:
    assert vit.post("/api/training/start", json=body).status_code == 422


def test_start_training__each_kind_waits_once(vit: TestClient, segmentation_session: ReadySession) -> None:
    for body in ({"kind": "finetune"}, None, {"kind": "head"}, {"kind": "finetune"}, {}):
        assert vit.post("/api/training/start", json=body).status_code == 202
    with segmentation_session.database.read() as db_session:
        kinds = list(db_session.scalars(select(Run.kind).order_by(Run.id)))
    assert kinds == [RunKind.FINETUNE, RunKind.HEAD]
    assert vit.get("/api/training").json()["kind"] in ("head", "finetune")


def test_adopt__offer_and_way_back(vit: TestClient, segmentation_session: ReadySession) -> None:
    checkpoint_id = add_adapter(segmentation_session)
    offer = vit.get("/api/training/finetuning").json()["offer"]
    assert (offer["checkpoint_id"], offer["held_out_loss"], offer["frozen_loss"]) == (checkpoint_id, 0.3, 0.9)
    assert (offer["n_samples"], offer["n_images"]) == (28, 7)

    state = vit.post("/api/training/adopt", json={"checkpoint_id": checkpoint_id, "image_id": 3}).json()
    assert state["adopted"]
    assert (state["adopted_checkpoint_id"], state["offer"]) == (checkpoint_id, None)
    assert vit.get("/api/config").json()["extractor"]["name"] == "dinov3_vits16-lora"
    assert vit.get("/api/images/2/annotations").json()["points"]  # they stay
    with segmentation_session.database.read() as db_session:
        images = list(db_session.scalars(select(Image).order_by(Image.feature_priority.desc(), Image.id)))
    assert {image.features for image in images} == {FeatureState.PENDING}
    assert [image.id for image in images[:2]] == [3, 2]  # the open one, then the labelled one

    again = vit.post("/api/training/adopt", json={"checkpoint_id": checkpoint_id})
    assert again.status_code == 409
    assert "nothing to change" in again.json()["detail"]
    state = vit.post("/api/training/adopt", json={"checkpoint_id": None}).json()
    assert not state["adopted"]
    assert state["offer"]["checkpoint_id"] == checkpoint_id
    assert vit.get("/api/config").json()["extractor"]["name"] == "dinov3_vits16"


def test_delete_checkpoint__never_the_adapter_in_force(vit: TestClient, segmentation_session: ReadySession) -> None:
    checkpoint_id = add_adapter(segmentation_session)
    assert vit.post("/api/training/adopt", json={"checkpoint_id": checkpoint_id}).is_success
    refused = vit.delete(f"/api/checkpoints/{checkpoint_id}")
    assert refused.status_code == 409
    assert "the session's extractor is made with it: go back" in refused.json()["detail"]
    kept = {row["id"]: row["reason"] for row in vit.post("/api/checkpoints/prune", json={"keep": 0}).json()["kept"]}
    assert kept[checkpoint_id] == "the session's extractor is made with it"
    assert sorted(path.suffix for path in segmentation_session.folder.glob("adapters/*")) == [".json", ".safetensors"]
    assert vit.post("/api/training/adopt", json={"checkpoint_id": None}).is_success
    assert vit.delete(f"/api/checkpoints/{checkpoint_id}").status_code == 204
    assert not list(segmentation_session.folder.glob("adapters/*"))


def test_get_config__notices_what_the_command_line_adopted(vit: TestClient, segmentation_session: ReadySession) -> None:
    assert vit.get("/api/config").json()["extractor"]["name"] == "dinov3_vits16"
    adopt(segmentation_session.database, segmentation_session.folder, add_adapter(segmentation_session))
    assert vit.get("/api/config").json()["extractor"]["name"] == "dinov3_vits16-lora"


def test_adopt__what_cannot_be_adopted(vit: TestClient, segmentation_session: ReadySession) -> None:
    assert vit.post("/api/training/adopt", json={"checkpoint_id": 99}).status_code == 404
    assert vit.post("/api/training/adopt", json={}).status_code == 422
    checkpoint_id = add_adapter(segmentation_session, better=False)
    assert vit.get("/api/training/finetuning").json()["offer"] is None
    vit.post("/api/training/start")
    waiting = vit.post("/api/training/adopt", json={"checkpoint_id": checkpoint_id})
    assert waiting.status_code == 409
    assert "stop it" in waiting.json()["detail"]
    with segmentation_session.database.write() as db_session:
        request_stop(db_session)
    (segmentation_session.folder / "adapters/run-5.safetensors").write_bytes(b"other")
    damaged = vit.post("/api/training/adopt", json={"checkpoint_id": checkpoint_id})
    assert damaged.status_code == 409
    assert "damaged" in damaged.json()["detail"]
    assert str(segmentation_session.folder) not in damaged.json()["detail"]


def test_adopt__adapter_can_only_be_adopted_not_activated(vit: TestClient, segmentation_session: ReadySession) -> None:
    checkpoint_id = add_adapter(segmentation_session)
    response = vit.post(f"/api/checkpoints/{checkpoint_id}/activate")
    assert response.status_code == 409
    assert ExtractorInfo.from_json(vit_info(segmentation_session)).name == "dinov3_vits16"


def vit_info(session: ReadySession) -> dict[str, Any]:
    with session.database.read() as db_session:
        return db_session.get_one(SessionInfo, 1).extractor


def test_patch_config__changes_one_setting_of_fine_tuning(vit: TestClient) -> None:
    finetune = vit.patch("/api/config", json={"finetune": {"rank": 4}}).json()["training"]["finetune"]
    assert (finetune["rank"], finetune["alpha"]) == (4, 16)
    finetune = vit.patch("/api/config", json={"training": {"finetune": {"targets": ["q", "mlp"]}}}).json()["training"]
    assert (finetune["finetune"]["rank"], finetune["finetune"]["targets"]) == (4, ["q", "mlp"])
    refused = vit.patch("/api/config", json={"finetune": {"rank": 0}})
    assert refused.status_code == 400
    assert "finetune.rank is 0" in refused.json()["detail"]
    for wrong in ({"targets": ["x"]}, {"ranks": 4}):
        assert vit.patch("/api/config", json={"finetune": wrong}).status_code == 422
