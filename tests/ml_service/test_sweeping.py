"""The background: next images first, everything in the end, nothing twice, and out of the way of a click."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.enums import FeatureState, WorkerRole
from db.queries.session_info import Strategy
from db.queries.workers import beat, remove_worker
from db.tables.images import Image
from db.tables.session import SessionInfo
from db.tasks import Task
from ml_service import sweeping
from ml_service.context import Context
from ml_service.pacing import Effort
from ml_service.predictors.base import Model
from ml_service.sweeping import AHEAD, KEPT_AHEAD, Sweep
from ml_service.worker import Worker
from tests.ml_service.toy_session import ToySession, make_session, work_off

N_IMAGES = 40


@pytest.fixture(params=[Task.SEGMENTATION, Task.CLASSIFICATION], ids=["segmentation", "classification"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> ToySession:
    return make_session(tmp_path / "session", request.param, N_IMAGES)


@pytest.fixture
def learned(session: ToySession) -> Iterator[Worker]:
    """A worker that has a head and has swept nothing."""
    worker = session.worker(sweep_threads=2)
    if session.task is Task.SEGMENTATION:
        session.click_halves(1)
    else:
        session.label_rightly([1, 2])
    assert worker._do_next_job(None)
    yield worker
    worker.close()


def model_of(worker: Worker) -> Model:
    assert worker.keeper.model is not None
    return worker.keeper.model


def predicted(session: ToySession) -> set[int]:
    with session.db.read() as db_session:
        version = db_session.get_one(SessionInfo, 1).head_version
        return {image.id for image in db_session.query(Image) if image.predicted_version == version}


def make_sweep(context: Context, name: str = "a", *, wanted: bool = False) -> Sweep:
    return Sweep(context, name, lambda: wanted)


def test_step__next_images_first_in_the_order_of_the_strategy(session: ToySession, learned: Worker) -> None:
    session.tune(strategy=Strategy.RANDOM.value)
    with session.db.read() as db_session:
        waiting = [image for image in db_session.query(Image) if image.status.value == "unlabeled"]
        keys = {image.id: image.random_key for image in waiting}
        at = db_session.get_one(Image, 1).random_key
    order = sorted(keys, key=lambda image_id: (keys[image_id] <= at, keys[image_id]))
    sweep = make_sweep(learned._context)
    before = predicted(session)
    for image_id in [image_id for image_id in order if image_id not in before][:5]:
        sweep.step(model_of(learned), 1)
        assert image_id in predicted(session)
    sweep.close()


def test_step__keeps_the_features_of_the_very_next(tmp_path: Path) -> None:
    session = make_session(tmp_path / "session", Task.SEGMENTATION, N_IMAGES)
    worker = session.worker()
    session.click_halves(1)
    work_off(worker)
    reader = worker._context.reader
    with session.db.read() as db_session:
        hashes = {image.id: image.content_hash for image in db_session.query(Image)}
    kept = [image_id for image_id, content_hash in hashes.items() if reader._maps.get(content_hash or "") is not None]
    assert kept == list(range(1, KEPT_AHEAD + 2))
    worker.close()


def test_step__reaches_everything(session: ToySession, learned: Worker) -> None:
    sweep = make_sweep(learned._context)
    steps = 0
    while sweep.step(model_of(learned), 1):
        steps += 1
        assert steps < 2 * N_IMAGES
    assert predicted(session) == set(range(1, N_IMAGES + 1))
    sweep.close()


def test_step__leaves_processors_alone_while_somebody_clicks(session: ToySession) -> None:
    worker = session.worker(sweep_threads=4)
    session.click_halves(1) if session.task is Task.SEGMENTATION else session.label_rightly([1, 2])
    assert worker._do_next_job(None)
    sweep = make_sweep(worker._context)
    at_work = most = 0
    lock, predict = threading.Lock(), sweep._predict

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            time.sleep(0.01)  # long enough that the others begin too
            return predict(*args, **options)
        finally:
            with lock:
                at_work -= 1

    sweep._predict = counted  # type: ignore[method-assign]
    model = model_of(worker)
    sweep._ahead_of = (model.version, 1)  # none ahead
    assert sweep.step(model, 1, Effort.HALF)
    assert most <= 2
    sweep.close()
    worker.close()


def test_step__only_the_next_images_while_clicks_come_in_a_series(session: ToySession, learned: Worker) -> None:
    sweep = make_sweep(learned._context)
    # Whole images are predicted so fast that they need not wait.
    most = AHEAD + 1 if session.task is Task.SEGMENTATION else N_IMAGES
    while sweep.step(model_of(learned), 1, Effort.NEXT_IMAGES):
        pass
    assert len(predicted(session)) == most
    while sweep.step(model_of(learned), 1, Effort.HALF):
        pass
    assert predicted(session) == set(range(1, N_IMAGES + 1))
    sweep.close()


def test_step__gives_way_without_recording(session: ToySession, learned: Worker) -> None:
    sweep = make_sweep(learned._context)
    for _ in range(AHEAD):
        sweep.step(model_of(learned), 1)
    sweep.close()
    hurried = make_sweep(learned._context, wanted=True)
    hurried._ahead_of = (model_of(learned).version, 1)
    before = predicted(session)
    assert hurried.step(model_of(learned), 1)
    assert predicted(session) == before
    hurried.close()


def test_step__a_click_between_two_commits_drops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "RECORDED_AT_ONCE", 4)
    session = make_session(tmp_path / "session", Task.CLASSIFICATION, N_IMAGES)
    worker = session.worker(sweep_threads=2)
    session.label_rightly([1, 2])
    assert worker._do_next_job(None)
    model, before = model_of(worker), predicted(session)
    sweep = Sweep(worker._context, "a", lambda: len(predicted(session)) > len(before))
    sweep._ahead_of = (model.version, 1)
    assert sweep.step(model, 1)
    assert len(predicted(session)) == len(before) + 4
    sweep.close()
    worker.close()


def test_step__another_head_between_two_commits_drops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "RECORDED_AT_ONCE", 4)
    session = make_session(tmp_path / "session", Task.CLASSIFICATION, N_IMAGES)
    worker = session.worker(sweep_threads=2)
    session.label_rightly([1, 2])
    assert worker._do_next_job(None)
    model, before = model_of(worker), predicted(session)
    looks_after = 0

    def replace_head() -> bool:
        """By another service, after the first commit; no click is seen here."""
        nonlocal looks_after
        if looks_after or len(predicted(session)) > len(before):
            looks_after += 1
        if looks_after == 1:
            with session.db.write() as db_session:
                db_session.get_one(SessionInfo, 1).head_version += 1
        return False

    sweep = Sweep(worker._context, "a", replace_head)
    sweep._ahead_of = (model.version, 1)
    assert sweep.step(model, 1)
    assert looks_after == 1
    sweep.close()
    worker.close()


def test_step__two_workers_take_different_images(session: ToySession, learned: Worker) -> None:
    context = learned._context
    recorded: list[list[int]] = []
    with session.db.write() as db_session:
        for name in ("a", "b"):
            beat(db_session, name, 1, "here", role=WorkerRole.LEARNING)
        remove_worker(db_session, learned.worker_id)
    first, second = make_sweep(context, "a"), make_sweep(context, "b")
    for sweep in (first, second):
        sweep._ahead_of = (model_of(learned).version, 1)
        before = predicted(session)
        assert sweep._predict_rest(model_of(learned), 2)
        recorded.append(sorted(predicted(session) - before))
        sweep.close()
    assert {image_id % 2 for image_id in recorded[0]} == {0}
    assert {image_id % 2 for image_id in recorded[1]} == {1}


def test_step__images_without_features_wait(session: ToySession, learned: Worker) -> None:
    with session.db.write() as db_session:
        db_session.get_one(Image, 30).features = FeatureState.PENDING
    work_off(learned)
    assert predicted(session) == set(range(1, N_IMAGES + 1)) - {30}
    with session.db.write() as db_session:
        db_session.get_one(Image, 30).features = FeatureState.READY
    work_off(learned)
    assert 30 in predicted(session)
