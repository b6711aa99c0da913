"""Every event reaches every listener, whatever becomes of what is sent along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from backend.services import event_stream
from backend.services.event_stream import EventBroker, Told
from db.database import Database
from db.queries.events import add_event
from db.tables.processes import Event

N_EVENTS = 5


async def hear(database: Database, push: Callable[[Event], dict[str, Any] | None], *, reads_late: bool) -> list[Told]:
    """What a listener who wants predictions in full gets of `N_EVENTS`, taken when they come or at the end."""
    broker = EventBroker(database, 0.001, 3600)
    listener = broker.listen(in_full=True)
    broker.start(push)
    heard = []
    for number in range(N_EVENTS):
        with database.write() as db_session:
            add_event(db_session, "prediction", image_id=number)
        if not reads_late:
            heard.append(await asyncio.wait_for(listener.get(), 10))
    if reads_late:
        while listener.qsize() < N_EVENTS:
            await asyncio.sleep(0.005)
        heard = [listener.get_nowait() for _ in range(N_EVENTS)]
    await broker.close()
    return [told for told in heard if told is not None]


ERRORS = (OperationalError("SELECT", {}, Exception("locked")), ValueError("odd"), IndexError())


@pytest.mark.parametrize("error", ERRORS)
def test_publish__what_cannot_be_sent_along_loses_no_event(segmentation_session: Any, error: Exception) -> None:
    def push(event: Event) -> dict[str, Any]:
        if event.payload["image_id"] % 2:
            raise error
        return {"prediction": event.payload["image_id"]}

    heard = asyncio.run(hear(segmentation_session.database, push, reads_late=False))
    assert [told.event.payload["image_id"] for told in heard] == list(range(N_EVENTS))
    assert [told.pushed.get("prediction") for told in heard] == [0, None, 2, None, 4]


def test_deliver__a_listener_that_lags_behind_keeps_few_predictions(
    segmentation_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are a thousand times as large as the events themselves."""
    monkeypatch.setattr(event_stream, "MOST_PUSHED", 2)
    heard = asyncio.run(hear(segmentation_session.database, lambda _event: {"maps": []}, reads_late=True))
    assert [bool(told.pushed) for told in heard] == [True, True, False, False, False]
