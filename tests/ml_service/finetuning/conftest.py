"""One striped session of each task, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from db.database import Database
from tests.ml_service.finetuning.striped_session import StripedSession, make_striped_session


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a session of that task, which nobody works in."""
    made: dict[str, Path] = {}

    def get(task: str) -> Path:
        if task not in made:
            made[task] = tmp_path_factory.mktemp(task)
            # Whole pictures are looked at in a larger size.
            make_striped_session(made[task], task, 24 if task == "segmentation" else 16).db.close()
        return made[task]

    return get


@pytest.fixture
def striped(templates: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[str], StripedSession]]:
    """`striped(task)`: a session of one's own."""
    opened: list[StripedSession] = []

    def make(task: str = "segmentation") -> StripedSession:
        folder = tmp_path / task
        shutil.copytree(templates(task), folder)
        session = StripedSession(folder / "session", Database.of_session(folder / "session"), folder / "config.yaml")
        opened.append(session)
        return session

    yield make
    for session in opened:
        session.db.close()
