"""Ready-made sessions: real folders with real SQLite and small real images, made without init."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from db.database import DATABASE_FILE_NAME, Database
from db.enums import FeatureState
from db.migrate import migrate
from db.queries.session_info import TrainingSettings
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Annotates, Task
from models.base import ExtractorInfo, Features
from models.feature_store import FeatureStore
from models.geometry import make_grid
from models.prediction_store import write_map

EXTRACTOR = ExtractorInfo(
    name="toy", weights_hash="0" * 16, patch_size=8, size_multiple=8, dim=6, pooled_dim=5, resize=64
)
SIZES = ((64, 48), (48, 64), (40, 40), (64, 64), (30, 20), (64, 16))
"""(width, height) of the images, in order of id."""
CLASSES = {
    Annotates.POINTS: (("foreground", "#00FF00"), ("background", "#FF0000")),
    Annotates.IMAGE: (("cat", "#1F77B4"), ("dog", "#FF7F0E"), ("bird", "#2CA02C")),
    Annotates.CLASSES: (("day", "#1F77B4"), ("night", "#FF7F0E"), ("car", "#2CA02C")),
}
GROUPS = {"day": "light", "night": "light"}
"""Of the classes that exclude each other where an image may have several."""


@dataclass(frozen=True)
class ReadySession:
    """A session folder, its database, and what is in it."""

    folder: Path
    database: Database
    image_root: Path
    image_ids: tuple[int, ...]
    class_ids: tuple[int, ...]

    def change_images(self, values: dict[int, dict[str, Any]]) -> None:
        """Set columns of images: {image_id: {column: value}}."""
        with self.database.write() as db_session:
            for image_id, changes in values.items():
                for name, value in changes.items():
                    setattr(db_session.get_one(Image, image_id), name, value)

    def add_prediction(
        self,
        image_id: int,
        *,
        version: int = 1,
        logits: np.ndarray | None = None,
        probabilities: list[float] | None = None,
    ) -> None:
        """Store what an ML service would, for a head that knows all classes.

        Args:
            logits: (K, Hp, Wp); left out in a segmentation session: the left half is the first class.
        """
        with self.database.write() as db_session:
            image = db_session.get_one(Image, image_id)
            info = db_session.get_one(SessionInfo, 1)
            info.head_version = max(info.head_version, version)
            row = Prediction(
                image_id=image_id,
                version=version,
                annotation_revision=image.revision,
                class_ids=list(self.class_ids),
            )
            if info.task.annotates is Annotates.POINTS:
                assert image.width is not None
                assert image.height is not None
                grid = make_grid(image.width, image.height, EXTRACTOR)
                if logits is None:
                    logits = np.full((len(self.class_ids), grid.height, grid.width), -4.0)
                    logits[0, :, : grid.width // 2] = 4.0
                    logits[1, :, grid.width // 2 :] = 4.0
                row.map_path = write_map(self.folder, image_id, version, logits)
                row.map_height, row.map_width = logits.shape[1:]
                confidence, predicted = 0.9, 0
            else:
                row.probabilities = probabilities or [0.7, 0.2, 0.1]
                confidence, predicted = max(row.probabilities), int(np.argmax(row.probabilities))
            image.uncertainty = 1 - confidence
            image.predicted_class_id = self.class_ids[predicted]
            image.predicted_version = version
            db_session.merge(row)


def make_session(folder: Path, task: Task, *, features: bool = True) -> ReadySession:
    """A session with six small images beside it; `features` stores random ones and marks the images ready."""
    image_root = folder.parent / f"{folder.name}_images"
    template, image_ids, class_ids = _template(task, features)
    shutil.copytree(template / "images", image_root)
    shutil.copytree(template / "session", folder)
    with closing(sqlite3.connect(folder / DATABASE_FILE_NAME)) as connection, connection:
        connection.execute("UPDATE session_info SET image_root = ?", [str(image_root)])
    database = Database(f"sqlite:///{(folder / DATABASE_FILE_NAME).resolve()}")
    return ReadySession(folder, database, image_root, image_ids, class_ids)


@cache
def _template(task: Task, features: bool) -> tuple[Path, tuple[int, ...], tuple[int, ...]]:
    """Folder with a session and its images, to be copied: migrated once in each process. Ids of images and classes."""
    home = Path(tempfile.mkdtemp(prefix="fewclick-template-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    image_root, folder = home / "images", home / "session"
    image_root.mkdir()
    folder.mkdir()
    database = Database(f"sqlite:///{folder / DATABASE_FILE_NAME}")
    migrate(database.engine)
    random = np.random.default_rng(7)
    store = FeatureStore(folder, EXTRACTOR) if features else None
    with database.write() as db_session:
        db_session.add(
            SessionInfo(
                id=1,
                name=f"toy {task.name}",
                task=task,
                image_root=str(image_root),
                config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=EXTRACTOR.to_json(),
            )
        )
        classes = [
            LabelClass(name=n, color=c, position=i, exclusive_group=GROUPS.get(n))
            for i, (n, c) in enumerate(CLASSES[task.annotates])
        ]
        db_session.add_all(classes)
        images = []
        for number, (width, height) in enumerate(SIZES):
            path = image_root / f"image_{number}.png"
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            PillowImage.fromarray(pixels).save(path)
            content_hash = hashlib.sha256(path.read_bytes()).hexdigest()
            if store is not None:
                grid = make_grid(width, height, EXTRACTOR)
                patches = random.standard_normal((grid.height, grid.width, EXTRACTOR.dim), dtype=np.float32)
                store.write(content_hash, Features(patches, random.standard_normal(EXTRACTOR.pooled_dim).astype("f4")))
            images.append(
                Image(
                    path=path.name,
                    content_hash=content_hash,
                    width=width,
                    height=height,
                    features=FeatureState.READY if features else FeatureState.PENDING,
                    random_key=float(random.random()),
                )
            )
        db_session.add_all(images)
        db_session.flush()
        ids = tuple(image.id for image in images), tuple(c.id for c in classes)
    database.close()
    return home, *ids


@pytest.fixture
def session_maker(tmp_path: Path) -> Iterator[Callable[..., ReadySession]]:
    """`make_session(name, task)` in the test's own folder."""
    made: list[ReadySession] = []

    def make(name: str, task: Task, *, features: bool = True) -> ReadySession:
        made.append(make_session(tmp_path / name, task, features=features))
        return made[-1]

    yield make
    for session in made:
        session.database.close()


@pytest.fixture
def segmentation_session(session_maker: Callable[..., ReadySession]) -> ReadySession:
    """Two classes, foreground and background; nothing labelled."""
    return session_maker("session", Task.SEGMENTATION)


@pytest.fixture
def classification_session(session_maker: Callable[..., ReadySession]) -> ReadySession:
    """Three classes; nothing labelled."""
    return session_maker("session", Task.CLASSIFICATION)


@pytest.fixture
def multilabel_session(session_maker: Callable[..., ReadySession]) -> ReadySession:
    """Three classes, of which day and night exclude each other; nothing labelled."""
    return session_maker("session", Task.MULTILABEL)
