"""The prediction inside its event is the one that GET gives, and never stops the events."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from backend.context import AppContext
from backend.services import prediction_push
from backend.services.prediction_push import needed_maps, prediction_in_event
from db.tables.learning import Prediction
from db.tables.processes import Event

PREDICTION = "/api/images/1/prediction"
NEEDED_MAPS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("needed_maps.json").read_text())
"""The page's `neededMaps` is held to the same."""


def context_of(client: TestClient) -> AppContext:
    context: AppContext = client.app.state.context  # type: ignore[attr-defined]
    return context


def announced(**payload: Any) -> Event:
    return Event(kind="prediction", payload=payload)


def pushed_by(client: TestClient, event: Event) -> dict[str, Any]:
    pushed = prediction_in_event(context_of(client), event)
    assert pushed is not None
    return pushed


@pytest.mark.parametrize("case", NEEDED_MAPS, ids=[case["case"] for case in NEEDED_MAPS])
def test_needed_maps__those_that_the_page_asks_for(case: dict[str, Any]) -> None:
    assert needed_maps(case["classes"], case["head"]) == case["needed"]


def test_prediction_in_event__maps_are_those_that_get_gives(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    pushed = pushed_by(seg, announced(image_id=1, version=1))
    assert pushed["prediction"] == seg.get(PREDICTION).json()
    (found,) = pushed["maps"]  # of two classes one says everything
    assert found["class_id"] == 1
    values = np.frombuffer(base64.b64decode(found["values"]), np.uint8).reshape(found["height"], found["width"])
    png = PillowImage.open(io.BytesIO(seg.get(f"{PREDICTION}/map?class_id=1").content))
    np.testing.assert_array_equal(values, np.asarray(png))


def test_prediction_in_event__all_maps_where_two_do_not_say_everything(
    seg: TestClient, segmentation_session: Any
) -> None:
    segmentation_session.add_prediction(1)
    seg.post("/api/classes", json={"name": "new"})
    pushed = pushed_by(seg, announced(image_id=1, version=1))
    assert [found["class_id"] for found in pushed["maps"]] == [1, 2], "the head does not know the new class"


def test_prediction_in_event__large_maps_are_left_to_be_fetched(
    seg: TestClient, segmentation_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmentation_session.add_prediction(1)
    monkeypatch.setattr(prediction_push, "MOST_MAP_BYTES", 47)
    assert set(pushed_by(seg, announced(image_id=1, version=1))) == {"prediction"}


def test_prediction_in_event__classification(cla: TestClient, classification_session: Any) -> None:
    classification_session.add_prediction(1, probabilities=[0.2, 0.7, 0.1])
    assert pushed_by(cla, announced(image_id=1, version=1)) == {"prediction": cla.get(PREDICTION).json()}


def test_prediction_in_event__nothing_of_other_events(seg: TestClient, segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    context = context_of(seg)
    assert prediction_in_event(context, Event(kind="annotation", payload={"image_id": 1})) is None
    assert prediction_in_event(context, announced(image_ids=[1], version=1)) is None
    assert prediction_in_event(context, announced(image_id=1, removed=True)) is None


def test_prediction_in_event__what_has_gone_meanwhile_stops_nothing(seg: TestClient, segmentation_session: Any) -> None:
    context = context_of(seg)
    assert prediction_in_event(context, announced(image_id=1, version=1)) is None
    assert prediction_in_event(context, announced(image_id=99, version=1)) is None
    segmentation_session.add_prediction(1)
    with segmentation_session.database.read() as db_session:
        path = db_session.get_one(Prediction, 1).map_path
    (segmentation_session.folder / path).unlink()
    assert prediction_in_event(context, announced(image_id=1, version=1)) is None
