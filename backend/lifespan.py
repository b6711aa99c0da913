"""Open the session when the application starts, close it when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from backend.context import AppContext
from backend.services.event_stream import EventBroker
from backend.services.prediction_push import prediction_in_event
from backend.services.session_snapshot import read_snapshot
from backend.settings import Settings
from backend.task_handlers.registry import get_handler
from db.database import Database, require_session_dir
from db.migrate import migrate
from models.startup_objects import spare_startup_objects


@asynccontextmanager
async def open_session(app: FastAPI) -> AsyncIterator[None]:
    """Lifespan of the application.

    Raises:
        SessionNotFoundError: there is no session where the settings point to.
    """
    context = await run_in_threadpool(_open, app.state.settings)
    context.events.start(partial(prediction_in_event, context))
    app.state.context = context
    spare_startup_objects()
    try:
        yield
    finally:
        await context.events.close()
        context.database.close()


def _open(settings: Settings) -> AppContext:
    if settings.database_url is None:
        require_session_dir(settings.session_dir)
    database = Database(settings.effective_database_url)
    migrate(database.engine)
    with database.read() as db_session:
        snapshot = read_snapshot(db_session, settings.session_dir)
    return AppContext(
        settings=settings,
        database=database,
        config=snapshot,
        handler=get_handler(snapshot.task),
        events=EventBroker(database, settings.event_poll_interval_s, settings.event_keep_s),
    )
