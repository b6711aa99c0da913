"""Sessions of any size with generated rows: many images, some of them labelled, a few files of features for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.database import DATABASE_FILE_NAME, Database
from db.enums import FeatureState, ImageStatus, Origin, Split
from db.migrate import migrate
from db.queries.session_info import TrainingSettings
from db.tables.annotations import ImageClass, Label, Point
from db.tables.images import Image
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Annotates, Task
from models.base import ExtractorInfo, Features
from models.feature_store import FeatureStore

CELL_PX = 8
FEATURE_FILES = 8
CLICKS_PER_IMAGE = 5
WARM_UP = 6
"""Clicks that are not measured."""
POINTS_PER_IMAGE = 25
ROWS_PER_STATEMENT = 5000
GROUPED = 3
"""Classes of a multi-label session that exclude each other."""
SIGNAL = 0.6
"""How far the mean of a class lies from that of the others, in standard deviations of a channel, on a few channels."""


@dataclass(frozen=True)
class Size:
    """What a session holds."""

    task: Task
    n_images: int
    n_labels: int
    n_classes: int = 2
    cells: int = 96
    """Of each side of the grid."""
    dim: int = 384


def make_generated_session(folder: Path, size: Size, *, seed: int = 0) -> Database:
    """A session in which everything has features and `n_labels` labels stand on the last images."""
    db = Database(f"sqlite:///{folder / DATABASE_FILE_NAME}")
    migrate(db.engine)
    side = size.cells * CELL_PX
    extractor = ExtractorInfo("generated", "0" * 16, CELL_PX, CELL_PX, size.dim, size.dim, side)
    generator = np.random.default_rng(seed)
    n_files = FEATURE_FILES if _has_points(size) else min(size.n_images, 2_000)
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(n_files)]
    _write_features(FeatureStore(folder, extractor), hashes, size, generator)
    with db.write() as db_session:
        db_session.add_all(
            LabelClass(id=n + 1, name=str(n + 1), color="#00FF00", exclusive_group=_group_of(n, size))
            for n in range(size.n_classes)
        )
        db_session.flush()
        sequence = _add_images(db_session, size, hashes, side, generator)
        db_session.add(
            SessionInfo(
                name="generated",
                task=size.task,
                image_root=".",
                config={},
                training=TrainingSettings().model_dump(mode="json"),
                extractor=extractor.to_json(),
                label_sequence=sequence,
            )
        )
    return db


def name_of(size: Size) -> str:
    """As tables call it."""
    name = size.task.name.lower()
    return f"{name} {size.cells}²" if _has_points(size) else name


def class_at(x: float, y: float, size: Size) -> int:
    """The class id that the features of a cell tell: vertical stripes."""
    del y
    return int(x / (size.cells * CELL_PX) * size.n_classes) % size.n_classes + 1


def class_of_file(number: int, size: Size) -> int:
    """The class id that a pooled vector tells."""
    return number % size.n_classes + 1


def classes_of_file(number: int, size: Size) -> list[int]:
    """The class ids that a pooled vector of a multi-label session tells: one of the group or none, and some others."""
    generator = np.random.default_rng(number)
    grouped = int(generator.integers(GROUPED + 1))
    others = np.flatnonzero(generator.random(size.n_classes) < np.linspace(0.3, 0.05, size.n_classes)) + 1
    return [grouped] * (grouped > 0) + [k for k in others.tolist() if k > GROUPED]


def _group_of(index: int, size: Size) -> str | None:
    return "group" if size.task.annotates is Annotates.CLASSES and index < GROUPED else None


def _has_points(size: Size) -> bool:
    return size.task.annotates is Annotates.POINTS


def _write_features(store: FeatureStore, hashes: list[str], size: Size, generator: np.random.Generator) -> None:
    centres = SIGNAL * generator.normal(size=(size.n_classes, size.dim)).astype(np.float32)
    for number, content_hash in enumerate(hashes):
        held = classes_of_file(number, size) if size.task is Task.MULTILABEL else [class_of_file(number, size)]
        pooled = generator.normal(size=size.dim).astype(np.float32) + centres[[k - 1 for k in held]].sum(axis=0)
        patches = None
        if _has_points(size):
            patches = generator.normal(size=(size.cells, size.cells, size.dim)).astype(np.float32)
            columns = [class_at((column + 0.5) * CELL_PX, 0, size) - 1 for column in range(size.cells)]
            patches += centres[columns]
        store.write(content_hash, Features(patches, pooled))


def _add_images(db_session: Session, size: Size, hashes: list[str], side: int, generator: np.random.Generator) -> int:
    """Rows of images and labels; returns the last label sequence."""
    per_image = POINTS_PER_IMAGE if _has_points(size) else 1
    n_labelled = min(size.n_images - 10, -(-size.n_labels // per_image))
    first_labelled = size.n_images - n_labelled + 1
    images, points, labels, answers = [], [], [], []
    left = size.n_labels
    for image_id in range(1, size.n_images + 1):
        is_labelled = image_id >= first_labelled and left > 0
        images.append(
            {
                "id": image_id,
                "path": f"{image_id}.png",
                "content_hash": hashes[image_id % len(hashes)],
                "width": side,
                "height": side,
                "features": FeatureState.READY,
                "pooled_ready": True,
                "random_key": float(generator.random()),
                "extra": {},
                "status": ImageStatus.LABELED if is_labelled else ImageStatus.UNLABELED,
                "label_sequence": image_id - first_labelled + 1 if is_labelled else 0,
                "revision": int(is_labelled),
                "split": (Split.VALIDATION if image_id % 5 == 0 else Split.TRAIN) if is_labelled else None,
            }
        )
        if is_labelled and _has_points(size):
            for x, y in generator.uniform(0, side, (min(per_image, left), 2)).tolist():
                points.append({"image_id": image_id, "class_id": class_at(x, y, size), "x": x, "y": y})
        elif is_labelled and size.task is Task.MULTILABEL:
            named: list[int | None] = [*classes_of_file(image_id % len(hashes), size)]
            answers += [{"image_id": image_id, "class_id": class_id} for class_id in named or [None]]
        elif is_labelled:
            labels.append({"image_id": image_id, "class_id": class_of_file(image_id % len(hashes), size)})
        left -= per_image if is_labelled else 0
    for table, rows in ((Image, images), (Point, points), (Label, labels), (ImageClass, answers)):
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            chunk = [
                row if table is Image else {"origin": Origin.HUMAN, "created_at": utc_now(), **row}
                for row in rows[start : start + ROWS_PER_STATEMENT]
            ]
            db_session.execute(insert(table), chunk)
    return n_labelled
