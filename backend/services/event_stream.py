"""Server-sent events: one thread per process looks for new rows, any number of listeners hear of them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from backend.services.plain_text import without_folders
from db.database import ChangeDetector, Database
from db.queries.events import events_after, last_event_id, prune_events
from db.tables.processes import Event

logger = logging.getLogger(__name__)

QUEUE_LENGTH = 20_000
"""A listener that lags behind by more is cut off; it comes back with Last-Event-ID and catches up."""
MOST_PUSHED = 16
"""Events with their predictions that wait for one listener; one that lags behind by more gets them without."""
PRUNE_INTERVAL_S = 300.0
RETRY_INTERVAL_S = 1.0
REPLAY_BATCH = 500

BUSY_INTERVAL_S, BUSY_S = 0.001, 0.5
"""How often to look, and for how long, once an annotation has changed: its prediction follows at any moment."""


@dataclass(frozen=True)
class Told:
    """An event on its way to the listeners."""

    event: Event
    pushed: dict[str, Any] = field(default_factory=dict)
    """What those gain besides who want predictions in full."""


Listener = asyncio.Queue[Told | None]
Push = Callable[[Event], dict[str, Any] | None]


class EventBroker:
    """Hands every new event to every listener of this process."""

    def __init__(self, database: Database, poll_interval_s: float, keep_s: float) -> None:
        self.database = database
        self._interval_s = poll_interval_s
        self._keep = dt.timedelta(seconds=keep_s)
        self._listeners: set[Listener] = set()
        self._wanting: set[Listener] = set()
        """Those of them who want predictions in full."""
        self._push: Push | None = None
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._poll, name="fewclick-events", daemon=True)
        self._last_id = 0
        self._busy_until = -float("inf")

    def start(self, push: Push | None = None) -> None:
        """Begin to look; to be called on the event loop that serves the listeners.

        Args:
            push: What an event gains for listeners who want predictions in full; called once for all of them, on a
                thread of its own.
        """
        self._push = push
        self._loop = asyncio.get_running_loop()
        with self.database.read() as db_session:
            self._last_id = last_event_id(db_session)
        self._thread.start()

    async def close(self) -> None:
        """End all streams and the thread."""
        self._stop.set()
        for listener in list(self._listeners):
            self._end(listener)
        await run_in_threadpool(self._thread.join)

    def listen(self, *, in_full: bool) -> Listener:
        """A queue of the events from now on; None ends it. To be given back with `leave`."""
        listener: Listener = asyncio.Queue(QUEUE_LENGTH)
        self._listeners.add(listener)
        if in_full:
            self._wanting.add(listener)
        if self._stop.is_set():
            listener.put_nowait(None)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop hearing."""
        self._listeners.discard(listener)
        self._wanting.discard(listener)

    def _poll(self) -> None:
        detector = ChangeDetector(self.database.engine)
        pruned_at = time.monotonic()
        while not self._stop.wait(self._pause_s()):
            try:
                if detector.changed():
                    self._publish_new()
                if time.monotonic() - pruned_at > PRUNE_INTERVAL_S:
                    pruned_at = time.monotonic()
                    with self.database.write() as db_session:
                        prune_events(db_session, self._keep)
            except SQLAlchemyError:
                logger.exception("events cannot be read; trying again in %s s", RETRY_INTERVAL_S)
                self._stop.wait(RETRY_INTERVAL_S)
        detector.close()

    def _pause_s(self) -> float:
        return min(BUSY_INTERVAL_S, self._interval_s) if time.monotonic() < self._busy_until else self._interval_s

    def _publish_new(self) -> None:
        with self.database.read() as db_session:
            events = events_after(db_session, self._last_id, REPLAY_BATCH)
        while events:
            self._last_id = events[-1].id
            if any(event.kind == "annotation" for event in events):
                self._busy_until = time.monotonic() + BUSY_S
            if self._loop is not None and not self._stop.is_set():
                self._loop.call_soon_threadsafe(self._deliver, [Told(event, self._pushed(event)) for event in events])
            if len(events) < REPLAY_BATCH:
                return
            with self.database.read() as db_session:
                events = events_after(db_session, self._last_id, REPLAY_BATCH)

    def _pushed(self, event: Event) -> dict[str, Any]:
        if self._push is None or not self._wanting:
            return {}
        try:
            return self._push(event) or {}
        except Exception:  # The boundary of what is only a comfort: whatever is wrong with it, the events go on.
            logger.exception("event %d is sent without its prediction", event.id)
            return {}

    def _deliver(self, events: list[Told]) -> None:
        for listener in list(self._listeners):
            if listener.qsize() + len(events) >= QUEUE_LENGTH:
                self._end(listener)
                continue
            for told in events:
                is_heard = listener.qsize() < MOST_PUSHED
                listener.put_nowait(told if is_heard else Told(told.event))

    def _end(self, listener: Listener) -> None:
        self.leave(listener)
        while listener.full():
            listener.get_nowait()
        listener.put_nowait(None)


async def stream_events(
    broker: EventBroker, after: int | None, shutdown: anyio.Event, *, in_full: bool = False, root_path: str = ""
) -> AsyncIterator[ServerSentEvent]:
    """The events behind `after` that are still kept, then new ones as they come.

    Args:
        after: id of the last event the client knows; None to begin with what comes next.
        shutdown: set when the server is about to end, so that the stream ends first and in good order.
        in_full: with the predictions themselves in their events; those of the past come without.
        root_path: prefix under which the application is mounted.
    """
    listener = broker.listen(in_full=in_full)
    ending = asyncio.create_task(_end_on(shutdown, listener))
    try:
        last_id = await run_in_threadpool(_newest_id, broker.database)
        if after is not None and after > last_id:
            # Of a database that was replaced or pruned empty: what comes next may have a smaller id.
            after = None
        # An id without data sets where a client that is cut off now goes on, and tells it that it is connected.
        yield ServerSentEvent(id=str(last_id if after is None else after), comment="connected")
        if after is not None:
            last_id = after
            while events := await run_in_threadpool(_read_after, broker.database, last_id):
                for event in events:
                    yield _encode(event)
                last_id = events[-1].id
        while (new := await listener.get()) is not None:
            if new.event.id > last_id:
                last_id = new.event.id
                yield _encode(new.event, _mounted(new.pushed, root_path) if in_full else {})
    finally:
        ending.cancel()
        broker.leave(listener)


async def _end_on(shutdown: anyio.Event, listener: Listener) -> None:
    await shutdown.wait()
    await listener.put(None)


def _encode(event: Event, pushed: dict[str, Any] | None = None) -> ServerSentEvent:
    payload = {key: without_folders(value) if isinstance(value, str) else value for key, value in event.payload.items()}
    return ServerSentEvent(id=str(event.id), event=event.kind, data=json.dumps({**payload, **(pushed or {})}))


def _mounted(pushed: dict[str, Any], root_path: str) -> dict[str, Any]:
    """The same with addresses as this client sees them."""
    prediction = pushed.get("prediction")
    if not root_path or prediction is None or prediction["map"] is None:
        return pushed
    of_map = {**prediction["map"], "url": root_path + prediction["map"]["url"]}
    return {**pushed, "prediction": {**prediction, "map": of_map}}


def _newest_id(database: Database) -> int:
    with database.read() as db_session:
        return last_event_id(db_session)


def _read_after(database: Database, event_id: int) -> list[Event]:
    with database.read() as db_session:
        return events_after(db_session, event_id, REPLAY_BATCH)
