"""The migrations make just the tables that the code describes, and no row is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from db.database import Database, database_url
from db.enums import Origin
from db.errors import MigrationError
from db.migrate import alembic_config, head_revision, migrate
from db.queries.annotation_rows import read_state
from db.tables.base import Base
from db.tables.images import Image
from db.tasks import Task

FITTING = {
    "task": "segmentation", "status": "labeled", "features": "ready", "origin": "human", "split": "train",
    "images.extra": {}, "jobs.kind": "refit", "jobs.state": "queued", "runs.state": "FINISHED", "runs.kind": "head",
    "checkpoints.kind": "run", "workers.role": "learning", "region_shapes.kind": "mask",
}  # fmt: skip
"""Values of columns that take only some; all others get one by their type."""


@pytest.fixture
def database(tmp_path: Path) -> Any:
    database = Database(database_url(tmp_path))
    yield database
    database.close()


def fill(engine: sa.Engine) -> None:
    """One row in each table that there is, all with id 1 and referring to one another."""
    schema = sa.MetaData()
    schema.reflect(engine)
    with engine.begin() as connection:
        for table in schema.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert().values({column: value_of(column) for column in table.columns}))


def value_of(column: sa.Column[Any]) -> Any:
    for key in (f"{column.table.name}.{column.name}", column.name):
        if key in FITTING:
            return FITTING[key]
    kind = column.type
    if isinstance(kind, sa.DateTime):
        return sa.func.current_timestamp()
    if isinstance(kind, sa.JSON):
        return {}
    return 1 if isinstance(kind, sa.Integer | sa.Float | sa.Boolean | sa.Numeric) else "x"


def counts(engine: sa.Engine) -> dict[str, int]:
    schema = sa.MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in schema.sorted_tables
        }


def test_migrate__agrees_with_the_tables_of_the_code(database: Database) -> None:
    migrate(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == head_revision()
        assert compare_metadata(context, Base.metadata) == []


def test_migrate__again_changes_nothing(database: Database) -> None:
    migrate(database.engine)
    migrate(database.engine)


@pytest.mark.parametrize("revision", ["0001", "0002", "0007"])
def test_migrate__keeps_every_row_of_every_table(database: Database, tmp_path: Path, revision: str) -> None:
    migrate(database.engine, revision)
    fill(database.engine)
    before = counts(database.engine)
    assert min(before.values()) == 1
    migrate(database.engine)
    assert counts(database.engine).items() >= before.items()
    with database.read() as db_session:
        assert db_session.scalar(sa.text("PRAGMA foreign_keys")) == 1
        assert db_session.scalar(sa.text("SELECT pooled_ready FROM images")) == 1
    copy = sa.create_engine(f"sqlite:///{next(tmp_path.glob(f'*.before-upgrade-from-{revision}'))}")
    assert counts(copy) == before
    copy.dispose()


def test_migrate__annotations_of_before_several_classes_are_as_they_were(database: Database) -> None:
    tables = ("points", "labels", "annotation_states", "classes")
    migrate(database.engine, "0007")
    fill(database.engine)

    def rows() -> dict[str, list[dict[str, Any]]]:
        with database.engine.connect() as connection:
            return {
                name: [dict(r) for r in connection.execute(sa.text(f"SELECT * FROM {name}")).mappings()]
                for name in tables
            }

    before = rows()
    migrate(database.engine)
    after = rows()
    for added in ("exclusive_group", "parent_id", "merged_into_id"):
        assert after["classes"][0].pop(added) is None
    assert json.loads(after["classes"][0].pop("unasked")) == []
    assert after == before
    with database.read() as db_session:
        assert read_state(db_session, db_session.get_one(Image, 1), Task.CLASSIFICATION).label == (1, Origin.HUMAN)


def test_migrate__table_that_is_rebuilt_takes_no_rows_with_it(database: Database) -> None:
    """As the next migration may have to: foreign keys are off while it drops the old table."""
    migrate(database.engine)
    fill(database.engine)
    before = counts(database.engine)
    from db.migrate import _connection

    with _connection(database.engine) as connection, connection.begin():
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    # Tables that revision did not know are gone, all others must keep what they hold.
    kept = counts(database.engine)
    migrate(database.engine)
    after = counts(database.engine)
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_migrate__rows_that_refer_to_nothing_are_told_and_nothing_is_changed(database: Database) -> None:
    migrate(database.engine, "0001")
    fill(database.engine)
    with database.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        connection.connection.cursor().execute("DELETE FROM images")
    with pytest.raises(MigrationError, match="refers to a row of images"):
        migrate(database.engine)
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"


def test_migrate__back_before_regions_leaves_no_trace_of_them(database: Database) -> None:
    migrate(database.engine, "0013")
    fill(database.engine)
    schema = sa.MetaData()
    schema.reflect(database.engine)
    states, images = schema.tables["annotation_states"], schema.tables["images"]
    said: dict[str, Any] = {"points": [], "label": None, "skipped": False}
    with database.engine.begin() as connection:
        connection.execute(sa.delete(schema.tables["points"]))
        connection.execute(sa.update(states).values(state={**said, "regions": [{"id": 1, "shape_id": 1}]}))
    config = alembic_config()
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0012")
    with database.engine.connect() as connection:
        assert connection.execute(sa.select(states.c.state)).scalar_one() == said
        assert connection.execute(sa.select(images.c.status)).scalar_one() == "unlabeled"
