"""Server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse

from backend.context import Context
from backend.services.event_stream import stream_events

router = APIRouter(tags=["events"])

PING_INTERVAL_S = 15
SHUTDOWN_GRACE_S = 1.0
"""How long a stream may take to end by itself when the server ends."""

EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "the stream"}
}


@router.get("/events", response_class=EventSourceResponse, responses=EVENT_STREAM)
async def listen_events(
    context: Context,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="go on after this event")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="as Last-Event-ID, for a first call")] = None,
    predictions: Annotated[
        bool,
        Query(
            description="prediction events of one image carry the prediction itself and the maps of the feature grid"
        ),
    ] = False,
) -> EventSourceResponse:
    """annotation, prediction, training, features, job and classes events, from now on or after the one named."""
    start = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 19 else after
    shutdown = anyio.Event()
    return EventSourceResponse(
        stream_events(
            context.events,
            start,
            shutdown,
            in_full=predictions,
            root_path=request.scope.get("root_path", ""),
        ),
        ping=PING_INTERVAL_S,
        shutdown_event=shutdown,
        shutdown_grace_period=SHUTDOWN_GRACE_S,
    )
