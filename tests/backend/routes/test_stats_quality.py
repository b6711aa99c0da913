"""Figures of the head in force, and agreement with what was in sight."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import func, select
from starlette.testclient import TestClient

from db.enums import CheckpointKind
from db.queries.measurements import save_measurement
from db.queries.outcomes import AGREEMENTS_KEPT, Statement, record_statements
from db.tables.images import Image
from db.tables.learning import Agreement, Checkpoint
from db.tables.session import SessionInfo
from ml_service.learning_curve import judge_gain
from ml_service.quality_figures import describe


def figures(n: int, *, errors: int = 0, samples_per_image: int = 1) -> dict[str, Any]:
    truth = np.arange(n) % 2
    said = truth.copy()
    said[:errors] = 1 - said[:errors]
    return describe(6 * np.eye(2)[said] - 3, np.eye(2)[truth], np.arange(n) // samples_per_image, (1, 2)).to_json()


def measure(session: Any, n_images: int = 12, **details: Any) -> None:
    details = {"held_out": None, "cross_validation": None, "curve": None} | details
    with session.database.write() as db_session:
        sequence = db_session.get_one(SessionInfo, 1).label_sequence
        values = {"label_sequence": sequence, "content_hash": str(sequence), "n_labels": 12, "n_images": n_images}
        save_measurement(db_session, values | {"details": details})


def get_quality(client: TestClient) -> Any:
    return client.get("/api/stats").json()["quality"]


def test_get_stats__quality_is_unknown_and_says_why(cla: TestClient) -> None:
    assert get_quality(cla)["unknown"] == "nothing is labelled yet"
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    quality = get_quality(cla)
    assert "nothing was measured yet" in quality["unknown"]
    assert (quality["held_out"], quality["estimate"], quality["is_current"]) == (None, None, None)


def test_get_stats__quality_of_the_live_head(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    right = np.array([True] * 30 + [False] * 10)
    points = [
        {"n_labels": n, "n_images": n, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}} for n in (3, 6, 9, 12)
    ]
    outlook = judge_gain(right[::-1], right, np.arange(40)).to_json()
    curve = {"method": "cross_validation", "points": points, "outlook": outlook}
    measure(
        classification_session,
        held_out=figures(6),
        cross_validation=figures(40, errors=4),
        curve=curve,
        n_picked_images=3,
    )
    stats = cla.get("/api/stats").json()
    quality = stats["quality"]
    assert (quality["is_current"], quality["n_picked_images"]) == (True, 3)
    assert quality["unknown"] is None
    # Six held-out images are too few to go by.
    assert quality["leading"] == "cross_validation"
    assert stats["held_out"]["value"] == quality["held_out"]["accuracy"]["value"] == 1.0
    assert stats["held_out"]["low"] < 0.7
    assert quality["estimate"]["accuracy"]["value"] == 0.9
    assert quality["estimate"]["confusion"] == {"class_ids": [1, 2], "counts": [[18, 2], [2, 18]]}
    assert quality["estimate"]["calibration"]["bins"][0]["count"] == 40
    assert quality["held_out"]["calibration"] is None
    assert "30 labels" in quality["held_out"]["calibration_unknown"]
    assert quality["curve"]["outlook"]["verdict"] == "unclear"
    assert [point["n_labels"] for point in quality["history"]] == [12]
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    assert get_quality(cla)["is_current"] is False


def test_get_stats__too_few_held_out_samples_are_no_figure(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    measure(classification_session, held_out=figures(3), cross_validation=figures(4))
    stats = cla.get("/api/stats").json()
    assert stats["held_out"] is None
    assert stats["quality"]["held_out"]["accuracy"] is None
    assert "at least 5 labels on 2 images" in stats["quality"]["unknown"]
    assert "there are 4 on 4" in stats["quality"]["unknown"]
    assert (
        "8 labelled images" in stats["quality"]["curve_unknown"] or "two classes" in stats["quality"]["curve_unknown"]
    )


def test_get_stats__what_is_missing_for_an_accuracy(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    measure(classification_session, n_images=1)
    assert "label another image" in get_quality(cla)["unknown"]
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    # The reason of before may not hold any more.
    quality = get_quality(cla)
    assert quality["is_current"] is False
    assert quality["unknown"] == quality["curve_unknown"]
    assert "measured anew a second after the last change" in quality["unknown"]
    measure(classification_session, cross_validation=figures(6, samples_per_image=6))
    assert get_quality(cla)["unknown"].endswith("there are 6 on 1: label more images")
    measure(classification_session, cross_validation=figures(4))
    assert get_quality(cla)["unknown"].endswith("there are 4 on 4: label some more")
    measure(classification_session)
    assert "the model did not pick" in get_quality(cla)["unknown"]


def test_get_stats__what_is_missing_of_a_saved_head(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    with classification_session.database.write() as db_session:
        checkpoint = Checkpoint(kind=CheckpointKind.LIVE, path="x", head_version=1, active=True, label_sequence=0)
        db_session.add(checkpoint)
    expected = {
        "it was saved before any held-out image had a label": None,
        "accuracy needs at least 5 held-out labels on 2 images, it was saved with 6 on 1": {
            "accuracy": 1.0,
            "n_samples": 6,
            "n_images": 1,
        },
        "without figures class by class": {"accuracy": 1.0, "n_samples": 6, "n_images": 6},
    }
    for reason, held_out in expected.items():
        with classification_session.database.write() as db_session:
            db_session.scalars(select(Checkpoint)).one().metrics = {"held_out": held_out}
        assert reason in get_quality(cla)["unknown"]


def test_get_stats__quality_of_a_run(cla: TestClient, classification_session: Any) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    measure(classification_session, held_out=figures(6))
    with classification_session.database.write() as db_session:
        metrics = {"held_out": {"accuracy": 0.75, "n_samples": 20, "n_images": 20}, "figures": figures(20, errors=5)}
        db_session.add(
            Checkpoint(
                kind=CheckpointKind.RUN, path="x", head_version=1, metrics=metrics, active=True, label_sequence=0
            )
        )
    stats = cla.get("/api/stats").json()
    assert stats["held_out"]["value"] == stats["quality"]["held_out"]["accuracy"]["value"] == 0.75
    assert stats["quality"]["is_current"] is False
    assert (stats["quality"]["estimate"], stats["quality"]["leading"]) == (None, "held_out")


def test_put_annotations__points_agree_with_the_map_in_sight(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)  # its left half is class 1
    with segmentation_session.database.read() as db_session:
        width = db_session.get_one(Image, 1).width
    first = [{"x": 1, "y": 1, "class_id": 1}]
    seg.put("/api/images/1/annotations", json={"points": first})
    state = seg.put("/api/images/1/annotations", json={"points": [*first, {"x": width - 1, "y": 1, "class_id": 1}]})
    assert state.status_code == 200
    agreement = get_quality(seg)["agreement"]
    assert (agreement["count"], agreement["share"]) == (2, 0.5)
    assert (agreement["unprompted_count"], agreement["unprompted"]) == (1, None)
    assert agreement["by_class"] == [{"class_id": 1, "count": 2, "agreed": 1}]
    assert [point["count"] for point in agreement["over_time"]] == [1, 2]


def test_put_annotations__what_was_refused_or_no_click_is_not_noted(seg: TestClient, segmentation_session: Any) -> None:
    seg.put("/api/images/2/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]})
    segmentation_session.add_prediction(1)
    unknown_class = {"points": [{"x": 1, "y": 1, "class_id": 99}]}
    assert seg.put("/api/images/1/annotations", json=unknown_class).status_code == 400
    many = [{"x": 1 + i / 10, "y": 1, "class_id": 1} for i in range(11)]
    assert seg.put("/api/images/1/annotations", json={"points": many}).status_code == 200
    assert get_quality(seg)["agreement"] is None


def test_put_annotations__a_map_that_is_gone_keeps_no_click_waiting(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    for path in (segmentation_session.folder / "predictions").rglob("*.npy"):
        path.unlink()
    assert seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": 1}]}).status_code == 200
    assert get_quality(seg)["agreement"] is None


def test_put_annotations__classes_agree_each_on_its_own(mul: TestClient, multilabel_session: Any) -> None:
    class_ids = list(multilabel_session.class_ids)
    probabilities = [0.9] + [0.1] * (len(class_ids) - 1)
    multilabel_session.add_prediction(1, probabilities=probabilities)
    mul.put("/api/images/1/annotations", json={"class_ids": [class_ids[0], class_ids[-1]]})
    agreement = get_quality(mul)["agreement"]
    # The others may follow with the next toggle.
    assert agreement["count"] == 2
    agreed = {row["class_id"]: row["agreed"] for row in agreement["by_class"]}
    assert agreed[class_ids[0]] == 1
    assert agreed[class_ids[-1]] == 0
    multilabel_session.add_prediction(2, probabilities=probabilities)
    mul.put("/api/images/2/annotations", json={"class_ids": []})
    assert get_quality(mul)["agreement"]["count"] == 2 + len(class_ids)


def test_record_statements__forgets_the_oldest(segmentation_session: Any) -> None:
    statement = Statement(class_id=1, agreed=True, confidence=0.5, predicted_class_id=1)
    for _ in range(3):
        with segmentation_session.database.write() as db_session:
            record_statements(db_session, 1, [statement] * 2000, is_unprompted=True)
    with segmentation_session.database.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(Agreement)) == AGREEMENTS_KEPT
        assert db_session.scalar(select(func.count()).where(Agreement.unprompted)) == 2
