"""The head that follows the clicks is the one of the labels as they are, and undo finds the very one there was."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pytest

from db.clock import utc_now
from db.enums import Origin
from db.queries.annotations import undo
from db.tables.images import Image
from db.tables.session import LabelClass
from db.tasks import Task
from ml_service import label_rows, live_fitter
from ml_service.context import Context
from ml_service.heads.live import LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_fitter import HeadCache, LiveFitter
from ml_service.live_learning import FittedHead, fit_live
from tests.ml_service.toy_session import EXTRACTOR, LEFT, RIGHT, ToySession, make_session, toy_features

CELLS = np.concatenate([toy_features(n).patches for n in range(1, 5)]).reshape(-1, EXTRACTOR.dim)
SCALER = FeatureScaler.fit(CELLS, EXTRACTOR.groups)


@pytest.fixture
def session(tmp_path: Path) -> ToySession:
    return make_session(tmp_path / "session", Task.SEGMENTATION, 4)


@pytest.fixture
def context(session: ToySession) -> Context:
    return session.context()


@pytest.fixture
def fitter(context: Context) -> Iterator[LiveFitter]:
    fitter = LiveFitter(context.parts, context.training_set)
    yield fitter
    fitter.close()


def follow(context: Context, fitter: LiveFitter, extracted_weight: float = 0.3) -> FittedHead | None:
    with context.db.read() as db_session:
        context.training_set.sync(db_session)
    return fitter.fit(SCALER, extracted_weight)


def from_nothing(context: Context, extracted_weight: float = 0.3) -> FittedHead | None:
    labels = context.training_set
    return fit_live(context.parts, SCALER, labels.images, labels.class_ids, extracted_weight)


def assert_equal(found: FittedHead | None, expected: FittedHead | None) -> None:
    assert found is not None
    assert expected is not None
    assert found.class_ids == expected.class_ids
    np.testing.assert_allclose(found.head.logits(CELLS), expected.head.logits(CELLS), atol=1e-4)


def random_points(generator: np.random.Generator, count: int) -> list[tuple[float, float, int]]:
    x, y = generator.uniform(0, 64, count), generator.uniform(0, 48, count)
    classes = generator.choice([LEFT, RIGHT, 3], count, p=[0.45, 0.45, 0.1])
    return list(zip(x.tolist(), y.tolist(), classes.tolist(), strict=True))


def test_fit__after_every_click_as_from_nothing(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    generator = np.random.default_rng(0)
    for step in range(24):
        origin = Origin.EXTRACTED if step % 5 == 4 else Origin.HUMAN
        points = random_points(generator, int(generator.integers(0, 9)))
        session.click(step % 4 + 1, *points, origin=origin)
        if step == 12:
            session.tune(extracted_weight=0.0)
        weight = 0.0 if step > 12 else 0.3
        found = follow(context, fitter, weight)
        expected = from_nothing(context, weight)
        if expected is None:
            assert found is None
        else:
            assert_equal(found, expected)


def test_fit__many_points_with_curvature(
    session: ToySession, context: Context, fitter: LiveFitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_fitter, "CURVATURE_FROM_POINTS", 40)
    generator = np.random.default_rng(1)
    for image_id in (1, 2, 3, 4, 1, 2, 3):
        session.click(image_id, *random_points(generator, 60))
        assert_equal(follow(context, fitter), from_nothing(context))
        fitter.look_ahead()
        if fitter._coming is not None:
            fitter._coming.result()


def rest(fitter: LiveFitter) -> bool:
    """Look ahead, and wait for what comes of it; whether curvature was due."""
    had = fitter._coming
    fitter.look_ahead()
    if fitter._coming is not None:
        wait([fitter._coming])
    return fitter._coming is not had


def test_look_ahead__as_many_other_points_make_curvature_due(
    session: ToySession, context: Context, fitter: LiveFitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_fitter, "CURVATURE_FROM_POINTS", 40)
    generator = np.random.default_rng(1)
    for image_id in (1, 2, 3, 4):
        session.click(image_id, *random_points(generator, 60))
    follow(context, fitter)
    assert rest(fitter)
    session.click(1, *random_points(generator, 60))
    follow(context, fitter)
    assert rest(fitter)
    session.click(2, (3.0, 3.0, LEFT))
    follow(context, fitter)
    session.click(2, (3.0, 3.0, LEFT), (40.0, 3.0, RIGHT))
    follow(context, fitter)
    assert rest(fitter)
    session.click(2, (3.0, 3.0, LEFT), (40.0, 3.0, RIGHT), (41.0, 3.0, RIGHT))
    follow(context, fitter)
    assert not rest(fitter)


def test_look_ahead__not_of_the_rows_of_other_labels(
    session: ToySession, context: Context, fitter: LiveFitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_fitter, "CURVATURE_FROM_POINTS", 40)
    generator = np.random.default_rng(1)
    session.click(1, *random_points(generator, 60))
    follow(context, fitter)
    session.click(2, *random_points(generator, 60))
    follow(context, fitter)
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 2))
    follow(context, fitter)
    assert not rest(fitter)
    session.click(3, *random_points(generator, 60))
    follow(context, fitter)
    assert rest(fitter)


def test_fit__goes_on_where_curvature_cannot_be_computed(
    session: ToySession,
    context: Context,
    fitter: LiveFitter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(live_fitter, "CURVATURE_FROM_POINTS", 40)

    def fails(_matrix: object) -> None:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    generator = np.random.default_rng(1)
    for image_id in (1, 4):
        session.click(image_id, *random_points(generator, 60))
    follow(context, fitter)
    with monkeypatch.context() as patch:
        patch.setattr(np.linalg, "eigh", fails)
        assert rest(fitter)
    session.click(2, *random_points(generator, 60))
    assert_equal(follow(context, fitter), from_nothing(context))
    assert "Eigenvalues did not converge" in caplog.text
    # The next time it is tried again.
    assert rest(fitter)
    session.click(3, *random_points(generator, 60))
    assert_equal(follow(context, fitter), from_nothing(context))
    assert fitter._curvature is not None


def test_fit__rows_that_moved(
    session: ToySession, context: Context, fitter: LiveFitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_rows, "FIRST_CAPACITY", 8)
    generator = np.random.default_rng(1)
    for count in (60, 4, 30, 0, 20):
        session.click(1, *random_points(generator, 20))
        session.click(2, *random_points(generator, count))
        assert_equal(follow(context, fitter), from_nothing(context))


def test_fit__undo_finds_the_very_same_head(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    session.click_halves(1, 2)
    before = follow(context, fitter)
    session.click(2, (3.0, 3.0, RIGHT))
    assert follow(context, fitter) is not before
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 2))
    assert follow(context, fitter) is before


def test_fit__points_set_again_change_nothing(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    points = random_points(np.random.default_rng(3), 30)
    session.click(1, *points)
    once = follow(context, fitter)
    session.click(1, *points, *points, *points)
    thrice = follow(context, fitter)
    assert once is not None
    assert thrice is not None
    np.testing.assert_array_equal(thrice.head.logits(CELLS), once.head.logits(CELLS))
    assert_equal(thrice, from_nothing(context))
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 1))
    assert follow(context, fitter) is once


def test_fit__class_removed_and_restored(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    session.click(1, (3.0, 3.0, LEFT), (60.0, 3.0, RIGHT), (60.0, 40.0, 3))
    before = follow(context, fitter)
    for removed_at in (utc_now(), None):
        with session.db.write() as db_session:
            db_session.get_one(LabelClass, 3).removed_at = removed_at
        found = follow(context, fitter)
        assert_equal(found, from_nothing(context))
    assert found is before


def test_fit__without_labels_there_is_no_head(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    assert follow(context, fitter) is None
    session.click_halves(1)
    assert follow(context, fitter) is not None
    session.click(1)
    assert follow(context, fitter) is None


def test_fit__another_scaler_gives_another_head(session: ToySession, context: Context, fitter: LiveFitter) -> None:
    session.click_halves(1, 2)
    before = follow(context, fitter)
    other = FeatureScaler.fit(CELLS[: len(CELLS) // 2], EXTRACTOR.groups)
    found = fitter.fit(other, 0.3)
    assert found is not before
    labels = context.training_set
    assert_equal(found, fit_live(context.parts, other, labels.images, labels.class_ids, 0.3))


def test_cache__keeps_what_fits() -> None:
    def make_head() -> FittedHead:
        weight = np.zeros((2, EXTRACTOR.dim), np.float32)
        return FittedHead(LiveHead(weight, np.zeros(2, np.float32), SCALER, False), (1, 2))

    cache = HeadCache(limit_bytes=4 * live_fitter._size(make_head()))
    heads = [make_head() for _ in range(6)]
    for number, head in enumerate(heads):
        cache.put(number, head)
        cache.get(0)
    assert [number for number in range(6) if cache.get(number) is heads[number]] == [0, 3, 4, 5]
