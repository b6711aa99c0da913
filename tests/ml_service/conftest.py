"""Sessions to learn in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from db.tasks import Task
from tests.ml_service.toy_session import ToySession, make_session


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def segmentation(tmp_path: Path) -> Iterator[ToySession]:
    """Six images, all with features."""
    session = make_session(tmp_path / "segmentation", Task.SEGMENTATION, 6)
    yield session
    session.db.close()


@pytest.fixture
def classification(tmp_path: Path) -> Iterator[ToySession]:
    """Forty images, all with features."""
    session = make_session(tmp_path / "classification", Task.CLASSIFICATION, 40)
    yield session
    session.db.close()


@pytest.fixture
def labelled(segmentation: ToySession) -> ToySession:
    """Six labelled images, two of them held out, and short runs."""
    segmentation.click_halves(1, 2, 3, 4, 5, 6)
    segmentation.hold_out(2, 5)
    segmentation.tune(max_epochs=40, prediction_interval=10, learning_rate=1.0, early_stop_patience=1000)
    return segmentation
