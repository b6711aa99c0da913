from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from db.database import Database
from db.migrate import migrate
from db.queries.session_info import TrainingSettings
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from models.base import ExtractorInfo

MakeSession = Callable[..., Path]


@pytest.fixture
def make_session(tmp_path: Path) -> MakeSession:
    """Makes session folders without images, as `init` would register them."""

    def make(name: str, task: Task = Task.CLASSIFICATION, folder: str | None = None) -> Path:
        session_dir = tmp_path / (folder or name)
        session_dir.mkdir()
        database = Database(f"sqlite:///{session_dir / 'annotations.db'}")
        migrate(database.engine)
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
