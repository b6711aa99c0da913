"""The migrations make just the tables that the code describes."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from db.database import Database, database_url
from db.migrate import head_revision, migrate
from db.models import Base


def test_migrate__agrees_with_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(database_url(tmp_path))
    migrate(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == head_revision()
        assert compare_metadata(context, Base.metadata) == []
    database.close()


def test_migrate__again_changes_nothing(tmp_path: Path) -> None:
    database = Database(database_url(tmp_path))
    migrate(database.engine)
    migrate(database.engine)
    database.close()
