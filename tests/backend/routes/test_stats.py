"""Counts and quality."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from db.enums import CheckpointKind, RunState
from db.tables.learning import Checkpoint, Run


def test_get_stats__segmentation(seg: TestClient) -> None:
    points = [{"x": 1, "y": 1, "class_id": 1}, {"x": 2, "y": 2, "class_id": 1}, {"x": 3, "y": 3, "class_id": 2}]
    seg.put("/api/images/1/annotations", json={"points": points})
    seg.put("/api/images/2/annotations", json={"points": points[:1]})
    seg.post("/api/images/3/annotations/skip")
    stats = seg.get("/api/stats").json()
    assert stats["images"] == 6
    assert stats["by_status"] == {"unlabeled": 3, "labeled": 2, "skipped": 1, "undetermined": 0}
    assert stats["by_features"] == {"pending": 0, "ready": 6, "failed": 0}
    assert stats["by_class"] == [
        {"class_id": 1, "images": 2, "points": 3, "regions": 0, "images_with_below": 2, "points_with_below": 3},
        {"class_id": 2, "images": 1, "points": 1, "regions": 0, "images_with_below": 1, "points_with_below": 1},
    ]
    assert stats["held_out"] is None
    assert sum(hour["annotations"] for hour in stats["labels_per_hour"]) == 4


def save_checkpoint(session: Any, number: int, accuracy: float, samples: int = 8) -> None:
    held_out = {"accuracy": accuracy, "mean_iou": 0.1, "loss": 0.5, "n_images": 7, "n_samples": samples}
    with session.database.write() as db_session:
        db_session.add(
            Checkpoint(
                kind=CheckpointKind.LIVE,
                path=f"checkpoints/{number}",
                head_version=number,
                metrics={"held_out": held_out},
            )
        )


def test_get_stats__quality_is_that_of_the_head_in_force(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    save_checkpoint(classification_session, 1, 0.9)
    save_checkpoint(classification_session, 2, 0.6)
    held_out = {"metric": "accuracy", "value": 0.6, "low": None, "high": None, "images": 7, "samples": 8}
    assert cla.get("/api/stats").json()["held_out"] == held_out | {"checkpoint_id": 2}
    with classification_session.database.write() as db_session:
        db_session.get_one(Checkpoint, 1).active = True
    assert cla.get("/api/stats").json()["held_out"]["value"] == 0.9


def test_get_stats__which_head_is_in_force(cla: TestClient, classification_session: Any) -> None:
    assert cla.get("/api/stats").json()["head"] is None
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    assert cla.get("/api/stats").json()["head"] == {"kind": "live", "run_id": None, "checkpoint_id": None}
    with classification_session.database.write() as db_session:
        db_session.add(Run(id=3, state=RunState.FINISHED))
        db_session.flush()
        row = Checkpoint(kind=CheckpointKind.RUN, run_id=3, path="x", head_version=1, metrics={}, active=True)
        db_session.add(row)
        db_session.flush()
        checkpoint_id = row.id
    assert cla.get("/api/stats").json()["head"] == {"kind": "run", "run_id": 3, "checkpoint_id": checkpoint_id}


def test_get_stats__no_quality_of_nothing_or_of_too_little(seg: TestClient, segmentation_session: Any) -> None:
    save_checkpoint(segmentation_session, 1, 0.9)
    assert seg.get("/api/stats").json()["held_out"] is None
    seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]})
    assert seg.get("/api/stats").json()["held_out"]["metric"] == "accuracy"
    save_checkpoint(segmentation_session, 2, 0.9, samples=4)
    assert seg.get("/api/stats").json()["held_out"] is None


def test_get_stats__live_accuracy(cla: TestClient, classification_session: Any) -> None:
    for image_id, class_id in ((1, 1), (2, 2), (3, 1), (4, 1)):
        classification_session.add_prediction(image_id)
        cla.put(f"/api/images/{image_id}/annotations", json={"class_id": class_id})
    live = cla.get("/api/stats").json()["live_accuracy"]
    assert [(point["labeled"], point["accuracy"]) for point in live] == [(1, 1.0), (2, 0.5), (3, 2 / 3), (4, 0.75)]
    assert [point["count"] for point in live] == [1, 2, 3, 4]
