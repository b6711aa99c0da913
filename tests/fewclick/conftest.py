from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from db.database import DATABASE_FILE_NAME, Database
from db.migrate import migrate
from db.queries.session_info import TrainingSettings
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from models.base import ExtractorInfo

MakeSession = Callable[..., Path]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated one without a session row, to be copied."""
    path = tmp_path_factory.mktemp("empty") / DATABASE_FILE_NAME
    database = Database(f"sqlite:///{path}")
    migrate(database.engine)
    database.close()
    return path


@pytest.fixture
def make_session(tmp_path: Path, empty_database: Path) -> MakeSession:
    """Makes session folders without images, as `init` would register them."""

    def make(name: str, task: Task = Task.CLASSIFICATION, folder: str | None = None) -> Path:
        session_dir = tmp_path / (folder or name)
        session_dir.mkdir()
        shutil.copy(empty_database, session_dir)
        database = Database(f"sqlite:///{session_dir / DATABASE_FILE_NAME}")
        training = TrainingSettings().model_dump(mode="json")
        with database.write() as db_session:
            extractor = ExtractorInfo("efficientnet_lite0", "0" * 16, 8, 32, 472, 472, 256).to_json()
            db_session.add(
                SessionInfo(
                    name=name, task=task, image_root="images", config={}, training=training, extractor=extractor
                )
            )
            db_session.add_all([LabelClass(name="a", color="#FF0000"), LabelClass(name="b", color="#00FF00")])
        database.close()
        return session_dir

    return make
