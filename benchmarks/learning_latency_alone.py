"""What the ML service does for a click, by itself: no other process, no commit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

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
from db.queries.annotations import NewPoint, replace_points, set_classes, set_label
from db.queries.training_data import ready_image
from db.tables.images import Image
from db.tasks import Annotates, Task
from ml_service.context import open_context
from ml_service.live_fitter import LiveFitter
from ml_service.predictors.base import Model
from ml_service.scaler_source import ScalerSource
from ml_service.settings import ServiceSettings

REST_S = 0.05


@dataclass(frozen=True)
class Alone:
    """Medians, milliseconds, of what the ML service does for a click, without database commits and other processes."""

    session: str
    labels: int
    classes: int
    head: str
    read_ms: float
    """The labels that changed, and their features."""
    fit_ms: float
    predict_ms: float
    """The open image, whose features are in memory."""
    both_ms: float
    """Fit and predict."""
    both_p95_ms: float


def measure_alone(folder: Path, size: Size, clicks: int) -> Alone:
    """Click on a session in which nothing else is at work."""
    # As the service does: for matrices of this size one thread is the fastest.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return _measure(folder, size, clicks)


def _measure(folder: Path, size: Size, clicks: int) -> Alone:
    context = open_context(folder, ServiceSettings())
    fitter = LiveFitter(context.parts, context.training_set)
    scalers = ScalerSource(context.parts, context.reader)
    generator = np.random.default_rng(1)
    # Images of their own: those before were clicked through HTTP.
    image_id = 200
    points: list[NewPoint] = []
    times: list[tuple[float, float, float]] = []
    kind = ""
    for number in range(clicks + WARM_UP):
        if size.task.annotates is not Annotates.POINTS:
            image_id = 200 + number
        elif number % CLICKS_PER_IMAGE == 0:
            image_id, points = image_id + 1, []
        x, y = generator.uniform(0, size.cells * CELL_PX, 2).tolist()
        points.append(NewPoint(x, y, class_at(x, y, size)))
        with context.db.write() as db_session:
            image = db_session.get_one(Image, image_id)
            if size.task is Task.CLASSIFICATION:
                set_label(db_session, image, class_of_file(image_id, size))
            elif size.task is Task.MULTILABEL:
                set_classes(db_session, image, classes_of_file(image_id, size))
            else:
                replace_points(db_session, image, points)
        with context.db.read() as db_session:
            scalers.require(db_session)
            opened = ready_image(db_session, image_id)
            assert opened is not None
            scalers.complete()
            assert scalers.scaler is not None
            began = time.perf_counter()
            context.training_set.sync(db_session)
        read = time.perf_counter()
        fitted = fitter.fit(scalers.scaler, 1.0)
        fit = time.perf_counter()
        assert fitted is not None
        model = Model(fitted.head, fitted.class_ids, context.training_set.revisions, version=0)
        if number % CLICKS_PER_IMAGE == 0 or size.task.annotates is not Annotates.POINTS:
            # Opening an image reads its features; a click finds them in memory.
            context.parts.predictor.predict(model, context.reader, [opened], keep=True)
        predicting = time.perf_counter()
        context.parts.predictor.predict(model, context.reader, [opened], keep=True)
        times.append((read - began, fit - read, time.perf_counter() - predicting))
        kind = type(fitted.head).__name__
        fitter.look_ahead()
        time.sleep(REST_S)
    fitter.close()
    context.db.close()
    measured = 1000 * np.array(times[WARM_UP:])
    both = measured[:, 1] + measured[:, 2]
    return Alone(
        session=name_of(size),
        labels=size.n_labels,
        classes=size.n_classes,
        head=kind,
        read_ms=float(np.median(measured[:, 0])),
        fit_ms=float(np.median(measured[:, 1])),
        predict_ms=float(np.median(measured[:, 2])),
        both_ms=float(np.median(both)),
        both_p95_ms=float(np.percentile(both, 95)),
    )
