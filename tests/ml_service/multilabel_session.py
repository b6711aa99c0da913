"""A toy session of images with several classes: day and night exclude each other, car stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from db.queries.annotations import set_classes
from db.tables.images import Image
from db.tables.session import LabelClass
from db.tasks import Task
from models.base import Features
from models.feature_store import FeatureStore
from tests.ml_service.toy_session import EXTRACTOR, ToySession, content_hash, make_session

DAY, NIGHT, CAR = 1, 2, 3


def true_classes(image_id: int) -> list[int]:
    """Every combination there is, in turn: day, night or neither; with a car or without."""
    light = [[DAY], [NIGHT], []][image_id % 3]
    return light + [CAR] * (image_id % 2)


def make_multilabel_session(folder: Path, n_images: int) -> ToySession:
    """Nothing labelled; features from which the classes can be told."""
    session = make_session(folder, Task.MULTILABEL, n_images)
    store = FeatureStore(session.folder, EXTRACTOR)
    for image_id in range(1, n_images + 1):
        generator = np.random.default_rng(image_id)
        pooled = generator.normal(scale=0.2, size=EXTRACTOR.pooled_dim).astype(np.float32)
        for class_id in (DAY, NIGHT, CAR):
            pooled[class_id::3] += 1.5 if class_id in true_classes(image_id) else -1.5
        patches = np.zeros((6, 8, EXTRACTOR.dim), np.float32)
        store.write(content_hash(image_id), Features(patches, pooled))
    with session.db.write() as db_session:
        for class_id, name in ((DAY, "day"), (NIGHT, "night"), (CAR, "car")):
            label_class = db_session.get_one(LabelClass, class_id)
            label_class.name = name
            label_class.exclusive_group = "light" if class_id != CAR else None
    return session


def answer(session: ToySession, image_id: int, class_ids: Sequence[int]) -> int:
    """What a person says of an image; returns its new revision."""
    with session.db.write() as db_session:
        return int(set_classes(db_session, db_session.get_one(Image, image_id), class_ids)["revision"])


def answer_rightly(session: ToySession, image_ids: Sequence[int]) -> None:
    """The true classes of each image."""
    for image_id in image_ids:
        answer(session, image_id, true_classes(image_id))
