"""Time from the commit of an annotation to the commit of a prediction that has learned from it.

Runs the ML service as a process of its own on a session made for the purpose (64 x 64 cells, mostly noise), clicks as
the backend does, and waits for the prediction row: `python -m benchmarks.live_path [--images N] [--dim D]`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from db.database import DATABASE_FILE_NAME, ChangeDetector, Database
from db.migrate import migrate
from db.models import FeatureState, Image, LabelClass, Prediction, SessionInfo
from db.queries.annotations import NewPoint, replace_points
from db.queries.session_info import TrainingSettings
from db.session_dir import SESSION_VARIABLE
from db.tasks import Task
from models.base import ExtractorInfo, Features
from models.feature_store import FeatureStore

SIDE_PX, CELL_PX = 512, 8
CLICKS_PER_IMAGE = 5
TIMEOUT_S = 60.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20, help="five clicks are made on each")
    parser.add_argument("--dim", type=int, default=472)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = make_session(Path(folder), arguments.images, arguments.dim)
        service = subprocess.Popen(
            [sys.executable, "-m", "ml_service.train"], env={**os.environ, SESSION_VARIABLE: folder}
        )
        try:
            latencies_ms = click_through(db, arguments.images)
        finally:
            service.terminate()
            service.wait()
            db.close()
    warm = np.array(latencies_ms[CLICKS_PER_IMAGE:])
    print(
        f"{len(warm)} clicks, {arguments.dim} channels, 64 x 64 cells, {os.cpu_count()} cores ({platform.machine()}): "
        f"p50 {np.percentile(warm, 50):.1f} ms, p95 {np.percentile(warm, 95):.1f} ms, most {warm.max():.1f} ms"
    )


def make_session(folder: Path, n_images: int, dim: int) -> Database:
    """A session whose features tell left from right, among much noise."""
    db = Database(f"sqlite:///{folder / DATABASE_FILE_NAME}")
    migrate(db.engine)
    extractor = ExtractorInfo("benchmark", "0" * 16, CELL_PX, CELL_PX, dim, dim, SIDE_PX)
    store = FeatureStore(folder, extractor)
    generator = np.random.default_rng(0)
    with db.write() as db_session:
        db_session.add(
            SessionInfo(
                name="benchmark",
                task=Task.SEGMENTATION,
                image_root=".",
                config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=extractor.to_json(),
            )
        )
        db_session.add_all([LabelClass(id=n, name=str(n), color="#00FF00") for n in (1, 2)])
        for image_id in range(1, n_images + 1):
            content_hash = hashlib.sha256(str(image_id).encode()).hexdigest()
            cells = SIDE_PX // CELL_PX
            patches = generator.normal(size=(cells, cells, dim)).astype(np.float32)
            patches[:, : cells // 2, : dim // 4] += 0.5
            store.write(content_hash, Features(patches, patches.mean(axis=(0, 1))))
            db_session.add(
                Image(
                    id=image_id,
                    path=f"{image_id}.png",
                    content_hash=content_hash,
                    width=SIDE_PX,
                    height=SIDE_PX,
                    features=FeatureState.READY,
                    random_key=float(generator.random()),
                )
            )
    return db


def click_through(db: Database, n_images: int) -> list[float]:
    """Milliseconds of each click, the first ones on a service that is still starting."""
    generator = np.random.default_rng(1)
    detector = ChangeDetector(db.engine)
    latencies_ms = []
    for image_id in range(1, n_images + 1):
        points: list[NewPoint] = []
        for _ in range(CLICKS_PER_IMAGE):
            x, y = generator.uniform(0, SIDE_PX, 2)
            points.append(NewPoint(float(x), float(y), 1 if x < SIDE_PX / 2 else 2))
            with db.write() as db_session:
                revision = replace_points(db_session, db_session.get_one(Image, image_id), points)["revision"]
            began = time.perf_counter()
            wait_for_prediction(db, detector, image_id, revision)
            latencies_ms.append((time.perf_counter() - began) * 1000)
            time.sleep(0.2)
    detector.close()
    return latencies_ms


def wait_for_prediction(db: Database, detector: ChangeDetector, image_id: int, revision: int) -> None:
    """Return once a prediction of the image has learned from `revision`."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if detector.changed():
            with db.read() as db_session:
                prediction = db_session.get(Prediction, image_id)
                if prediction is not None and prediction.annotation_revision >= revision:
                    return
        time.sleep(0.0005)
    raise TimeoutError(f"no prediction of image {image_id} learned from revision {revision} within {TIMEOUT_S:g} s")


if __name__ == "__main__":
    main()
