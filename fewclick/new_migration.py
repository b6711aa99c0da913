"""Write a migration for what has changed in db/tables: `python -m fewclick.new_migration "what it changes"`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command

from db.database import make_engine
from db.migrate import alembic_config, migrate


def write_migration(message: str) -> None:
    """Compare the tables with where the migrations lead, in a database made for the purpose."""
    with TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")
        migrate(engine)
        with engine.begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True)
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('say what the migration changes: python -m fewclick.new_migration "add table pets"')
    write_migration(sys.argv[1])
