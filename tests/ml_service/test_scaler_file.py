"""Equal labels give an equal head across a restart and between services, as these share one scaler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.tasks import Task
from ml_service.heads.kernel_head import KernelHead
from ml_service.session_leftovers import SCALER_FOLDER
from ml_service.worker import Worker
from models.prediction_store import read_map
from tests.ml_service.toy_session import ToySession, add_images, make_session, work_off


@pytest.fixture
def grown(tmp_path: Path) -> tuple[ToySession, Worker]:
    """Labels learned from while 7 images were ready; now 12 are, too few for a new scaler."""
    session = make_session(tmp_path / "grown", Task.SEGMENTATION, 7)
    worker = session.worker()
    session.click_halves(1, 2)
    work_off(worker)
    add_images(session, range(8, 13), n_ready=5)
    return session, worker


def _scaler_hash(session: ToySession) -> str:
    record = session.info().scaler
    assert record is not None
    return str(record["hash"])


def _logits(session: ToySession, image_id: int) -> np.ndarray:
    prediction = session.prediction(image_id)
    assert prediction is not None
    assert prediction.map_path is not None
    return read_map(session.folder, prediction.map_path)


def _mean(worker: Worker) -> np.ndarray:
    model = worker.keeper.model
    assert model is not None
    assert isinstance(model.head, KernelHead)
    return model.head.scaler.mean


def test_follow__restart_goes_on_with_the_scaler_in_force(grown: tuple[ToySession, Worker]) -> None:
    session, first = grown
    version = session.info().head_version
    second = session.worker()
    work_off(second)
    assert session.info().head_version == version
    np.testing.assert_array_equal(_mean(second), _mean(first))


def test_follow__services_share_the_scaler_of_the_one_that_gathered(grown: tuple[ToySession, Worker]) -> None:
    session, first = grown
    second = session.worker()
    session.click_halves(3)
    second.step()
    first.keeper.ensure_current()
    assert first.keeper.version == second.keeper.version
    np.testing.assert_array_equal(_mean(first), _mean(second))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"damaged")])
def test_follow__unusable_file_raises_the_version(grown: tuple[ToySession, Worker], damage: object) -> None:
    session, _first = grown
    version, before = session.info().head_version, _scaler_hash(session)
    [path] = (session.folder / SCALER_FOLDER).iterdir()
    damage(path)  # type: ignore[operator]
    second = session.worker()
    work_off(second)
    assert session.info().head_version == version + 1
    assert _scaler_hash(session) != before
    assert (session.folder / SCALER_FOLDER / f"{_scaler_hash(session)}.safetensors").is_file()
    third = session.worker()
    np.testing.assert_array_equal(_mean(third), _mean(second))
    assert session.info().head_version == version + 1


def test_record__scaler_of_twice_as_many_images_raises_the_version(grown: tuple[ToySession, Worker]) -> None:
    session, first = grown
    version, before = session.info().head_version, _scaler_hash(session)
    add_images(session, range(13, 16), n_ready=3)
    first.keeper.look_for_features()
    work_off(first)
    assert session.info().head_version > version
    assert _scaler_hash(session) != before


def test_follow__scaler_of_another_extractor_is_left(grown: tuple[ToySession, Worker]) -> None:
    session, _first = grown
    version = session.info().head_version
    with session.db.write() as db_session:
        info = db_session.get_one(type(session.info()), 1)
        assert info.scaler is not None
        info.scaler = {**info.scaler, "extractor": "another"}
    session.worker()
    assert session.info().head_version == version + 1


def test_follow__undo_after_a_restart_gives_the_earlier_map_back(grown: tuple[ToySession, Worker]) -> None:
    session, first = grown
    before = _logits(session, 1)
    first.close()
    second = session.worker()
    session.click(1, (12.0, 21.0, 1), (52.0, 21.0, 2), (30.0, 40.0, 2))
    second.step()
    assert not np.allclose(_logits(session, 1), before, atol=1e-3)
    session.click_halves(1)
    second.step()
    np.testing.assert_allclose(_logits(session, 1), before, atol=1e-3)
