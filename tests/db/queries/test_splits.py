"""Train or validation, image by image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from db.database import Database
from db.enums import ImageStatus, Split
from db.queries import annotations, splits
from db.queries.annotations import NewPoint
from db.queries.splits import draw_split, rarest_class
from db.tables.annotations import Label, Point
from db.tables.base import Base
from db.tables.images import Image
from db.tables.session import LabelClass
from tests.db.queries.annotating import change

N_CLASSES = 3


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Three classes and no images."""
    database = Database(f"sqlite:///{tmp_path / 'session.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as db_session:
        db_session.add_all(LabelClass(id=k + 1, name=str(k), color="#000000", position=k) for k in range(N_CLASSES))
    yield database
    database.close()


def label_all(database: Database, images: list[tuple[frozenset[int], bool]]) -> list[Split]:
    """Images with these classes of points, labelled one after the other, picked by the model or not."""
    drawn: list[Split] = []
    with database.write() as db_session:
        for number, (class_ids, picked) in enumerate(images, start=1):
            image = Image(id=number, path=str(number), random_key=0.5, picked_by_model=picked)
            db_session.add(image)
            db_session.flush()
            for class_id in sorted(class_ids):
                db_session.add(Point(image_id=number, class_id=class_id, x=1, y=1))
            db_session.flush()
            image.split = draw_split(db_session, image, rarest_class(db_session, class_ids))
            db_session.flush()
            drawn.append(image.split)
        db_session.rollback()
    return drawn


sets_of_classes = st.frozensets(st.integers(1, N_CLASSES), min_size=1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(sets_of_classes, st.just(False)), min_size=1, max_size=60))
def test_draw_split__balanced_by_classes_on_the_images(
    database: Database, images: list[tuple[frozenset[int], bool]]
) -> None:
    drawn = label_all(database, images)
    assert drawn == label_all(database, images)
    assert drawn[0] is Split.TRAIN
    total: Counter[int] = Counter()
    held_out: Counter[int] = Counter()
    for (class_ids, _), split in zip(images, drawn, strict=True):
        for class_id in class_ids:
            total[class_id] += 1
            held_out[class_id] += split is Split.VALIDATION
    for class_id, count in total.items():
        # One by the lag of its own stratum, and what images carry that are balanced by another class.
        assert held_out[class_id] <= 0.2 * count + 1 + 0.2 * N_CLASSES + 1
        assert held_out[class_id] < count


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(sets_of_classes, st.booleans()), min_size=1, max_size=40))
def test_draw_split__what_the_model_picked_trains(
    database: Database, images: list[tuple[frozenset[int], bool]]
) -> None:
    for (_, picked), split in zip(images, label_all(database, images), strict=True):
        assert split is Split.TRAIN or not picked


def test_draw_split__one_in_five_of_each_class_of_points(database: Database) -> None:
    images = [(frozenset({1 + number % N_CLASSES}), False) for number in range(150)]
    by_class = defaultdict(list)
    for (class_ids, _), split in zip(images, label_all(database, images), strict=True):
        by_class[min(class_ids)].append(split)
    for drawn in by_class.values():
        assert drawn[0] is Split.TRAIN
        assert drawn.count(Split.VALIDATION) in (9, 10, 11)


def test_draw_split__many_images_are_not_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "MANY", 20)
    drawn = label_all(database, [(frozenset({1}), False)] * 200)
    assert 20 <= drawn.count(Split.VALIDATION) <= 60


def test_rarest_class__by_images_not_by_points(database: Database) -> None:
    with database.write() as db_session:
        db_session.add_all(Image(id=number, path=str(number), random_key=0.5) for number in (1, 2, 3))
        db_session.flush()
        db_session.add_all(Point(image_id=1, class_id=1, x=x, y=1) for x in range(5))
        db_session.add_all(Point(image_id=number, class_id=2, x=1, y=1) for number in (2, 3))
        db_session.add(Label(image_id=3, class_id=3))
        db_session.flush()
        assert rarest_class(db_session, {1, 2}) == 1
        assert rarest_class(db_session, {2, 3}) == 3
        assert rarest_class(db_session, {2}) == 2
        assert rarest_class(db_session, set()) is None


def test_draw_split__one_in_five_in_each_class(classification_session: Any) -> None:
    with classification_session.database.write() as db_session:
        db_session.add_all(
            [Image(path=f"more/{n}", content_hash=None, width=8, height=8, random_key=n / 300) for n in range(300)]
        )
    with classification_session.database.write() as db_session:
        for image in db_session.scalars(select(Image).where(Image.path.like("more/%"))).all():
            annotations.set_label(db_session, image, 1 + image.id % 3)
    with classification_session.database.read() as db_session:
        counts = db_session.execute(
            select(Label.class_id, func.count())
            .join(Image, Image.id == Label.image_id)
            .where(Image.split == Split.VALIDATION)
            .group_by(Label.class_id)
        ).all()
    assert [count for _class_id, count in counts] == pytest.approx([20, 20, 20], abs=2)


def test_split__stays_for_good(segmentation_session: Any) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1)])
    change(segmentation_session, 1, "clear")
    with segmentation_session.database.read() as db_session:
        image = db_session.get_one(Image, 1)
        assert (image.status, image.split) == (ImageStatus.UNLABELED, Split.TRAIN)
        assert db_session.scalar(select(func.count()).select_from(Point)) == 0
