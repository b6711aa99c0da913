"""Alembic's entry: run by db/migrate.py with a connection at hand, or by the alembic command with `-x url=...`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import create_engine

from db.column_types import TaskName, UtcDateTime
from db.tables.base import Base


def render_item(kind: str, item: Any, _autogen_context: Any) -> str | Literal[False]:
    """Migrations stand on their own: they name the plain column type, not this code's."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, TaskName):
        return f"sa.{item.impl!r}"
    return False


connection = context.config.attributes.get("connection")
if connection is None:
    connection = create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect()
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite cannot alter a table in place; batch mode copies it instead.
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
