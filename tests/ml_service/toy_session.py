"""Small sessions with real database, real files and features that two classes can be told apart by."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from db.database import DATABASE_FILE_NAME, Database
from db.enums import FeatureState, Origin, Split
from db.queries.annotations import NewPoint, replace_points, set_label
from db.queries.session_info import TrainingSettings
from db.tables.base import Base
from db.tables.images import Image
from db.tables.learning import Prediction, Run
from db.tables.processes import Job
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from ml_service.context import Context, open_context
from ml_service.settings import ServiceSettings
from ml_service.worker import Worker
from models.base import ChannelGroup, ExtractorInfo, Features
from models.feature_store import FeatureStore

WIDTH, HEIGHT = 64, 48
LEFT, RIGHT = 1, 2
"""Class ids: the left half of each image, the right half; in classification even and odd images."""
EXTRACTOR = ExtractorInfo(
    name="toy",
    weights_hash="0123456789abcdef",
    patch_size=8,
    size_multiple=8,
    dim=12,
    pooled_dim=10,
    resize=64,
    groups=(ChannelGroup("a", 8), ChannelGroup("b", 4)),
)


@dataclass
class ToySession:
    """A session folder, and shortcuts to annotate and to look."""

    folder: Path
    db: Database
    task: Task

    def context(self, **settings: Any) -> Context:
        """As the service opens it; impatient, and content with few images, so that tests need not wait."""
        defaults = {"live_checkpoint_delay_s": 0.0, "tick_interval_s": 0.2, "quiet_s": 0.0, "run_least_images": 2}
        return open_context(self.folder, ServiceSettings(**{**defaults, **settings}))

    def worker(self, **settings: Any) -> Worker:
        """A started worker."""
        worker = Worker(self.context(**settings))
        worker.start()
        return worker

    def click(self, image_id: int, *points: tuple[float, float, int], origin: Origin = Origin.HUMAN) -> int:
        """Replace the points of an image; returns its new revision."""
        with self.db.write() as db_session:
            image = db_session.get_one(Image, image_id)
            return int(
                replace_points(db_session, image, [NewPoint(*point) for point in points], origin=origin)["revision"]
            )

    def click_halves(self, *image_ids: int) -> None:
        """Two right points on each image."""
        for image_id in image_ids:
            self.click(image_id, (12.0, 20.0 + image_id, LEFT), (52.0, 20.0 + image_id, RIGHT))

    def label(self, image_id: int, class_id: int) -> int:
        """Give an image its class; returns its new revision."""
        with self.db.write() as db_session:
            return int(set_label(db_session, db_session.get_one(Image, image_id), class_id)["revision"])

    def label_rightly(self, image_ids: Sequence[int]) -> None:
        """The true class of each image."""
        for image_id in image_ids:
            self.label(image_id, true_class(image_id))

    def hold_out(self, *image_ids: int) -> None:
        """Make exactly these images the validation images."""
        with self.db.write() as db_session:
            for image in db_session.query(Image):
                image.split = Split.VALIDATION if image.id in image_ids else Split.TRAIN

    def tune(self, **training: Any) -> None:
        """Change training parameters, as PATCH /api/config does."""
        with self.db.write() as db_session:
            info = db_session.get_one(SessionInfo, 1)
            info.training = {**info.training, **training}

    def info(self) -> SessionInfo:
        """The session row as it is now."""
        with self.db.read() as db_session:
            return db_session.get_one(SessionInfo, 1)

    def prediction(self, image_id: int) -> Prediction | None:
        """The prediction of an image as it is now."""
        with self.db.read() as db_session:
            return db_session.get(Prediction, image_id)

    def predicted_versions(self) -> dict[int, int]:
        """Head version of the newest prediction of each image; 0 where there is none."""
        with self.db.read() as db_session:
            return {image.id: image.predicted_version for image in db_session.query(Image)}

    def map_bytes(self, image_id: int) -> bytes:
        """The predicted map as it lies on the disk."""
        prediction = self.prediction(image_id)
        assert prediction is not None
        assert prediction.map_path is not None
        return (self.folder / prediction.map_path).read_bytes()

    def jobs(self) -> list[Job]:
        """All jobs, by id."""
        with self.db.read() as db_session:
            return list(db_session.query(Job).order_by(Job.id))

    def run(self, run_id: int) -> Run:
        """A run as it is now."""
        with self.db.read() as db_session:
            return db_session.get_one(Run, run_id)


def true_class(image_id: int) -> int:
    """Class of an image of a classification session."""
    return LEFT if image_id % 2 == 0 else RIGHT


def make_session(folder: Path, task: Task, n_images: int, *, n_ready: int | None = None) -> ToySession:
    """A new session with `n_images`, of which `n_ready` (all by default) have their features."""
    shutil.copytree(_template(task, n_images, n_images if n_ready is None else n_ready), folder, dirs_exist_ok=True)
    return ToySession(folder, Database(f"sqlite:///{folder / DATABASE_FILE_NAME}"), task)


@cache
def _template(task: Task, n_images: int, n_ready: int) -> Path:
    """Folder of such a session, to be copied: made once in each process."""
    folder = Path(tempfile.mkdtemp(prefix="fewclick-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    db = Database(f"sqlite:///{folder / DATABASE_FILE_NAME}")
    Base.metadata.create_all(db.engine)
    with db.write() as db_session:
        db_session.add(
            SessionInfo(
                id=1,
                name="toy",
                task=task,
                image_root=".",
                config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=EXTRACTOR.to_json(),
            )
        )
        db_session.add_all(
            [
                LabelClass(id=LEFT, name="left", color="#00FF00", position=0),
                LabelClass(id=RIGHT, name="right", color="#FF0000", position=1),
                LabelClass(id=3, name="other", color="#0000FF", position=2),
            ]
        )
    add_images(ToySession(folder, db, task), range(1, n_images + 1), n_ready=n_ready)
    db.close()
    return folder


def add_images(session: ToySession, image_ids: Sequence[int], *, n_ready: int) -> None:
    """Register images; the first `n_ready` of them have their features."""
    store = FeatureStore(session.folder, EXTRACTOR)
    for image_id in image_ids[:n_ready]:
        store.write(content_hash(image_id), toy_features(image_id))
    with session.db.write() as db_session:
        for position, image_id in enumerate(image_ids):
            db_session.add(
                Image(
                    id=image_id,
                    path=f"{image_id}.png",
                    content_hash=content_hash(image_id),
                    width=WIDTH,
                    height=HEIGHT,
                    random_key=(image_id * 0.618) % 1,
                    features=FeatureState.READY if position < n_ready else FeatureState.PENDING,
                )
            )


def make_ready(session: ToySession, image_id: int) -> None:
    """Write the features of an image and say so."""
    FeatureStore(session.folder, EXTRACTOR).write(content_hash(image_id), toy_features(image_id))
    with session.db.write() as db_session:
        db_session.get_one(Image, image_id).features = FeatureState.READY


def content_hash(image_id: int) -> str:
    """Stands for the hash of the file."""
    return hashlib.sha256(str(image_id).encode()).hexdigest()


def toy_features(image_id: int, *, noise: float = 0.3) -> Features:
    """Half of the channels tell left from right, or the two classes; the rest is noise."""
    generator = np.random.default_rng(image_id)
    patches = generator.normal(scale=noise, size=(6, 8, EXTRACTOR.dim)).astype(np.float32)
    patches[:, :4, :6] -= 1
    patches[:, 4:, :6] += 1
    pooled = generator.normal(scale=noise, size=EXTRACTOR.pooled_dim).astype(np.float32)
    pooled[:5] += -1 if true_class(image_id) == LEFT else 1
    return Features(patches, pooled)


def work_off(worker: Worker, limit: int = 2000) -> None:
    """Step until nothing is left to do."""
    for _ in range(limit):
        if not worker.step():
            return
    raise AssertionError(f"still at work after {limit} steps")
