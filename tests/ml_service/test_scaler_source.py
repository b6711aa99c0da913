from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.queries.annotations import undo
from db.tables.images import Image
from db.tasks import Task
from ml_service.context import Context
from ml_service.heads.kernel_head import KernelHead
from ml_service.heads.live import LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.scaler_source import STEPS_AT_FIRST, RunningMoments, ScalerSource
from ml_service.worker import Worker
from models.feature_store import FeatureStore
from tests.ml_service.toy_session import (
    EXTRACTOR,
    ToySession,
    add_images,
    content_hash,
    make_session,
    work_off,
)

PER_STEP = 2
AT_FIRST = STEPS_AT_FIRST * PER_STEP


def _source(context: Context) -> ScalerSource:
    return ScalerSource(replace(context.parts, scaler_images_per_step=PER_STEP), context.reader)


def _begin(source: ScalerSource, session: ToySession) -> None:
    with session.db.read() as db_session:
        source.begin_if_due(db_session)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_running_moments__equal_those_of_the_whole(sizes: list[int], seed: int) -> None:
    portions = [np.random.default_rng(seed + i).normal(1e3, 1, (size, 3)) for i, size in enumerate(sizes)]
    moments = RunningMoments(3)
    for portion in portions:
        moments.add(portion)
    whole = np.concatenate(portions)
    assert moments.count == len(whole)
    if len(whole):
        np.testing.assert_allclose(moments.mean, whole.mean(axis=0))
        np.testing.assert_allclose(moments.deviation, whole.std(axis=0), atol=1e-9)


def test_step__equals_a_fit_of_all_at_once(segmentation: ToySession) -> None:
    context = segmentation.context()
    source = _source(context)
    _begin(source, segmentation)
    for left in (True, True, False):
        source.step()
        assert source.is_gathering is left
    cells = [context.reader.cells(content_hash(image_id), 512) for image_id in range(1, 7)]
    expected = FeatureScaler.fit(np.concatenate(cells), EXTRACTOR.groups)
    assert source.scaler is not None
    np.testing.assert_allclose(source.scaler.mean, expected.mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(source.scaler.scale, expected.scale, rtol=1e-5)


def test_begin_if_due__when_twice_as_many_are_ready(segmentation: ToySession) -> None:
    source = _source(segmentation.context())
    _begin(source, segmentation)
    source.complete()
    first = source.scaler
    add_images(segmentation, range(7, 12), n_ready=5)
    _begin(source, segmentation)
    assert not source.is_gathering
    add_images(segmentation, [12], n_ready=1)
    _begin(source, segmentation)
    source.step()
    assert source.is_gathering
    assert source.scaler is first
    source.complete()
    assert source.scaler is not first


def test_step__unreadable_features_are_left_out(segmentation: ToySession) -> None:
    context = segmentation.context()
    for image_id in range(1, 6):
        FeatureStore(segmentation.folder, EXTRACTOR).patches_path(content_hash(image_id)).unlink()
    source = _source(context)
    _begin(source, segmentation)
    source.complete()
    assert source.scaler is not None
    cells = context.reader.cells(content_hash(6), 512)
    np.testing.assert_allclose(source.scaler.mean, cells.mean(axis=0), rtol=1e-5, atol=1e-7)


def test_require__without_ready_images(tmp_path: Path) -> None:
    session = make_session(tmp_path, Task.SEGMENTATION, 2, n_ready=0)
    source = _source(session.context())
    with session.db.read() as db_session:
        source.require(db_session)
    assert source.scaler is None
    assert not source.is_gathering
    session.db.close()


@pytest.fixture
def many(tmp_path: Path) -> ToySession:
    """More images than the first click waits for."""
    return make_session(tmp_path / "many", Task.SEGMENTATION, AT_FIRST + 8)


def _live_scaler(worker: Worker) -> FeatureScaler:
    model = worker.keeper.model
    assert model is not None
    assert isinstance(model.head, LiveHead | KernelHead)
    return model.head.scaler


def test_worker__first_click_waits_for_a_few_images_only(many: ToySession) -> None:
    worker = many.worker()
    many.click_halves(1)
    assert worker.step()
    prediction = many.prediction(1)
    assert prediction is not None
    assert prediction.version == 1
    source = worker.keeper.scalers
    assert source.is_gathering
    provisional = source.scaler
    assert _live_scaler(worker) is provisional
    work_off(worker)
    assert not source.is_gathering
    assert source.scaler is not provisional
    assert _live_scaler(worker) is source.scaler
    assert many.info().head_version == 2
    many.db.close()


def test_worker__clicks_go_first_while_a_new_scaler_is_gathered(many: ToySession) -> None:
    worker = many.worker(tick_interval_s=0.001)
    many.click_halves(1)
    work_off(worker)
    old = worker.keeper.scalers.scaler
    add_images(many, range(AT_FIRST + 9, 2 * AT_FIRST + 17), n_ready=AT_FIRST + 8)
    _step_until_gathering(worker)
    many.click(1, (12.0, 21.0, 1), (52.0, 21.0, 2))
    worker.step()
    clicked = many.map_bytes(1)
    many.click(1, (12.0, 21.0, 1), (52.0, 21.0, 2), (30.0, 40.0, 2))
    worker.step()
    assert many.map_bytes(1) != clicked
    with many.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 1))
    worker.step()
    assert worker.keeper.scalers.is_gathering
    assert _live_scaler(worker) is old
    assert many.map_bytes(1) == clicked
    work_off(worker)
    assert _live_scaler(worker) is worker.keeper.scalers.scaler is not old
    with many.db.read() as db_session:
        versions = {image.predicted_version for image in db_session.query(Image)}
    assert versions == {many.info().head_version}
    many.db.close()


def test_worker__restart_with_labels_begins_with_the_whole_sample(many: ToySession) -> None:
    first = many.worker()
    many.click_halves(1, 2)
    work_off(first)
    before, version = many.map_bytes(1), many.info().head_version
    second = many.worker()
    work_off(second)
    assert (many.info().head_version, many.map_bytes(1)) == (version, before)
    np.testing.assert_array_equal(_live_scaler(second).mean, _live_scaler(first).mean)
    many.db.close()


def _step_until_gathering(worker: Worker) -> None:
    deadline = time.monotonic() + 10
    while not worker.keeper.scalers.is_gathering:
        assert time.monotonic() < deadline
        worker.step()
