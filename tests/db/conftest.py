"""An empty session to query."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.database import DATABASE_FILE_NAME, Database
from db.queries.session_info import TrainingSettings
from db.tables.base import Base
from db.tables.session import SessionInfo
from db.tasks import Task


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A migrated database with a session row."""
    database = Database(f"sqlite:///{tmp_path / DATABASE_FILE_NAME}")
    Base.metadata.create_all(database.engine)
    with database.write() as db_session:
        training = TrainingSettings().model_dump(mode="json")
        db_session.add(
            SessionInfo(name="test", task=Task.SEGMENTATION, image_root=".", config={}, training=training, extractor={})
        )
    yield database
    database.close()
