"""From a click to a prediction that has learned from it, through HTTP, step by step; and the predictions behind it.

Backend and ML service run as processes of their own on generated sessions (96 x 96 cells of 384 channels; pooled
vectors of 384). A client clicks, hears the event, fetches the prediction:
`python -m benchmarks.learning_latency [--quick] [--clicks N]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from sqlalchemy import func, select

from benchmarks.client import Client, PredictionEvents
from benchmarks.generated_session import (
    CELL_PX,
    CLICKS_PER_IMAGE,
    WARM_UP,
    Size,
    class_at,
    class_of_file,
    classes_of_file,
    name_of,
)
from benchmarks.learning_latency_alone import measure_alone
from benchmarks.learning_serving import LIMIT_S, Served, peak_memory_mb, serving, wait_for_head, wait_until_up
from benchmarks.tables import Section, machine, section_of, show
from db.database import Database
from db.enums import JobKind, JobState
from db.tables.images import Image
from db.tables.processes import Job
from db.tables.session import SessionInfo
from db.tasks import Annotates, Task

CLICKS = 30
REST_S = 0.1
BACKGROUND_S = 8.0
"""For how long the background is watched, if it takes so long."""
BACKGROUND_IMAGES = {Annotates.POINTS: 1_000, Annotates.IMAGE: 20_000, Annotates.CLASSES: 20_000}
"""Fewer are predicted before one has looked twice."""
LOOK_S = 0.05
SIZES = (
    Size(Task.SEGMENTATION, 1_000, 10),
    Size(Task.SEGMENTATION, 1_000, 100),
    Size(Task.SEGMENTATION, 1_000, 1_000),
    Size(Task.SEGMENTATION, 1_000, 5_000),
    Size(Task.SEGMENTATION, 100_000, 5_000),
    Size(Task.SEGMENTATION, 1_000, 1_000, n_classes=10),
    Size(Task.SEGMENTATION, 1_000, 5_000, n_classes=10),
    Size(Task.CLASSIFICATION, 1_000, 100),
    Size(Task.CLASSIFICATION, 20_000, 1_000),
    Size(Task.CLASSIFICATION, 100_000, 5_000, n_classes=10),
    Size(Task.MULTILABEL, 20_000, 1_000, n_classes=10),
    Size(Task.MULTILABEL, 20_000, 5_000, n_classes=10),
)
QUICK = (Size(Task.SEGMENTATION, 300, 100, cells=32), Size(Task.CLASSIFICATION, 500, 100))


@dataclass(frozen=True)
class Click:
    """Milliseconds of one click. The clock of all processes is the same."""

    commit: float
    """Until PUT was answered, that is, durable."""
    notice: float
    """From there until the ML service had claimed the refit; 0 where that came first."""
    learn: float
    """Until the transaction with the prediction was about to be committed."""
    publish: float
    """Commit, event, GET prediction."""
    total: float


@dataclass(frozen=True)
class Latency:
    """A row of the table."""

    session: str
    labels: int
    images: int
    classes: int
    p50_ms: float
    p95_ms: float
    commit_ms: float
    notice_ms: float
    learn_ms: float
    publish_ms: float
    opening_ms: float | None
    """GET prediction of the image that `next` gives, a moment after the last click; None while it has none."""
    service_mb: float
    """Resident memory of the ML service at its highest."""


@dataclass(frozen=True)
class Background:
    """How fast images that nobody waits for are predicted."""

    session: str
    images_per_s: float
    click_p50_ms: float
    """Of clicks meanwhile."""
    click_worst_ms: float


def tables(sizes: Sequence[Size] = SIZES, *, clicks: int = CLICKS, background_s: float = BACKGROUND_S) -> list[Section]:
    """Latency of clicks at each size, and the speed of the background."""
    latencies, alone, backgrounds = [], [], []
    measured: set[Task] = set()
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            with serving(Path(folder), size) as served:
                latencies.append(_measure_clicks(served, size, clicks))
                if size.task not in measured and size.n_images >= BACKGROUND_IMAGES[size.task.annotates]:
                    measured.add(size.task)
                    backgrounds.append(_measure_background(served, size, background_s))
            alone.append(measure_alone(Path(folder), size, clicks))
    return [
        section_of(
            f"A click, from PUT to the prediction fetched ({clicks} clicks a row, events listened to)",
            latencies,
            {
                "session": "session",
                "labels": "labels",
                "images": "images",
                "classes": "classes",
                "p50_ms": "p50 ms",
                "p95_ms": "p95 ms",
                "commit_ms": "commit",
                "notice_ms": "notice",
                "learn_ms": "learn and predict",
                "publish_ms": "publish and fetch",
                "opening_ms": "next image ms",
                "service_mb": "service MB",
            },
        ),
        section_of(
            "Refit over all labels and prediction of the open image alone, one thread",
            alone,
            {
                "session": "session",
                "labels": "labels",
                "classes": "classes",
                "head": "head",
                "read_ms": "read changes ms",
                "fit_ms": "fit",
                "predict_ms": "predict",
                "both_ms": "fit and predict p50",
                "both_p95_ms": "p95",
            },
        ),
        section_of(
            "Predictions in the background",
            backgrounds,
            {
                "session": "session",
                "images_per_s": "images a second",
                "click_p50_ms": "click meanwhile p50 ms",
                "click_worst_ms": "worst ms",
            },
        ),
    ]


def _measure_clicks(served: Served, size: Size, clicks: int) -> Latency:
    with Client(served.url) as client:
        wait_until_up(client)
        wait_for_head(served.db)
        with PredictionEvents(served.url) as events:
            measured = _click(served, client, events, size, clicks + WARM_UP)[WARM_UP:]
        opening = _open_next(client)
    total = [click.total for click in measured]
    medians = {
        f"{step}_ms": float(np.median([getattr(click, step) for click in measured]))
        for step in ("commit", "notice", "learn", "publish")
    }
    return Latency(
        session=name_of(size),
        labels=size.n_labels,
        images=size.n_images,
        classes=size.n_classes,
        p50_ms=float(np.percentile(total, 50)),
        p95_ms=float(np.percentile(total, 95)),
        opening_ms=opening,
        service_mb=peak_memory_mb(served.service_pid),
        **medians,
    )


def _measure_background(served: Served, size: Size, seconds: float) -> Background:
    with Client(served.url) as client, PredictionEvents(served.url) as events:
        _click(served, client, events, size, 1)
        began, before = time.monotonic(), _count_predicted(served.db)
        took_s, count = 0.0, before
        while took_s < seconds and count < size.n_images:
            time.sleep(LOOK_S)
            took_s, count = time.monotonic() - began, _count_predicted(served.db)
        speed = (count - before) / took_s if took_s else float("nan")
        clicks = [click.total for click in _click(served, client, events, size, 20)]
    return Background(name_of(size), speed, float(np.median(clicks)), max(clicks))


def _click(served: Served, client: Client, events: PredictionEvents, size: Size, count: int) -> list[Click]:
    generator = np.random.default_rng(count)
    clicks = []
    image_id = 1
    points: list[dict[str, float]] = []
    for number in range(count):
        if size.task is Task.CLASSIFICATION:
            image_id = number + 1
            # Every other click contradicts the features, so that each one changes the head.
            wanted = class_of_file(image_id + number % 2, size)
            found = client.annotations(image_id)["label"]
            body: dict[str, object] = {"class_id": wanted % size.n_classes + 1 if found else wanted}
        elif size.task is Task.MULTILABEL:
            image_id = number + 1
            # A second time, one class is toggled.
            held = classes_of_file(image_id, size)
            found = client.annotations(image_id)["labels"] is not None
            body = {"class_ids": sorted(set(held) ^ {size.n_classes}) if found else held}
        else:
            if len(points) == CLICKS_PER_IMAGE:
                image_id, points = image_id + 1, []
            x, y = generator.uniform(0, size.cells * CELL_PX, 2).tolist()
            points = [*points, {"x": x, "y": y, "class_id": class_at(x, y, size)}]
            body = {"points": points}
        clicks.append(_time_click(served.db, client, events, image_id, body))
        time.sleep(REST_S)
    return clicks


def _time_click(
    db: Database, client: Client, events: PredictionEvents, image_id: int, body: dict[str, object]
) -> Click:
    began = time.time()
    revision = client.put_annotations(image_id, body)["revision"]
    committed = time.time()
    events.wait(image_id, revision, LIMIT_S)
    prediction = client.prediction(image_id)
    ended = time.time()
    assert prediction is not None
    assert prediction["annotation_revision"] >= revision
    with db.read() as db_session:
        job = db_session.scalars(
            select(Job).where(Job.kind == JobKind.REFIT, Job.state == JobState.DONE).order_by(Job.id.desc()).limit(1)
        ).one()
    assert job.heartbeat_at is not None
    assert job.finished_at is not None
    claimed = max(committed, job.heartbeat_at.timestamp())
    finished = job.finished_at.timestamp()
    return Click(
        commit=1000 * (committed - began),
        notice=1000 * (claimed - committed),
        learn=1000 * (finished - claimed),
        publish=1000 * (ended - finished),
        total=1000 * (ended - began),
    )


def _open_next(client: Client) -> float | None:
    """What a person waits for the overlay of the next image."""
    time.sleep(1.0)
    image = client.json("GET", "images/next", params={"current_id": 1})
    began = time.perf_counter()
    prediction = client.prediction(image["id"])
    return None if prediction is None or prediction["stale"] else 1000 * (time.perf_counter() - began)


def _count_predicted(db: Database) -> int:
    with db.read() as db_session:
        version = db_session.get_one(SessionInfo, 1).head_version
        return db_session.scalar(select(func.count()).where(Image.predicted_version == version)) or 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small sessions")
    parser.add_argument("--clicks", type=int, default=CLICKS)
    parser.add_argument("--only", type=int, nargs="*", help="rows of the table, from 0")
    arguments = parser.parse_args()
    sizes: tuple[Size, ...] = QUICK if arguments.quick else SIZES
    if arguments.only:
        sizes = tuple(sizes[index] for index in arguments.only)
    print(json.dumps({"machine": machine()}))
    show(Console(width=200), tables(sizes, clicks=arguments.clicks))


if __name__ == "__main__":
    main()
