"""Pace and time to finish."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.testclient import TestClient

from backend.services.pace import Activity, describe_pace, measure

START = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def changes(*seconds: float) -> list[tuple[dt.datetime, bool]]:
    return [(START + dt.timedelta(seconds=second), True) for second in seconds]


def test_measure__pauses_count_for_nothing() -> None:
    found = measure(changes(0, 10, 20, 4000, 4010, 4020))
    assert found == Activity(active_s=40, images=4, changes=4, since=START)


def test_measure__nothing_yet() -> None:
    assert measure([]) == measure(changes(5)) == Activity(0, 0, 0, None)


def test_measure__clicks_on_an_image_are_one_image() -> None:
    clicks = [(at, index % 2 == 0) for index, (at, _) in enumerate(changes(0, 10, 20, 30, 40))]
    assert (measure(clicks).images, measure(clicks).changes) == (2, 4)


def test_describe_pace__time_to_finish() -> None:
    pace = describe_pace(Activity(active_s=600, images=20, changes=60, since=START), remaining=240)
    assert (pace.images_per_hour, pace.labels_per_hour, pace.finish_s) == (120.0, 360.0, 7200)


def test_describe_pace__too_little_says_nothing() -> None:
    for activity in (Activity(20, 9, 9, START), Activity(600, 4, 40, START)):
        pace = describe_pace(activity, remaining=5)
        assert (pace.images_per_hour, pace.labels_per_hour, pace.finish_s) == (None, None, None)
        assert pace.remaining == 5


def test_get_stats__pace_counts_answered_images(cla: TestClient, classification_session: Any) -> None:  # noqa: ARG001
    for image_id in (1, 2, 3):
        cla.put(f"/api/images/{image_id}/annotations", json={"class_id": 1})
    cla.post("/api/images/3/annotations/undo")
    pace = cla.get("/api/stats").json()["pace"]
    # The first opens the period, the third is not answered any more.
    assert (pace["images"], pace["remaining"], pace["images_per_hour"]) == (1, 4, None)
