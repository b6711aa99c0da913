"""Server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse

from backend.context import Context
from backend.services.event_stream import stream_events

router = APIRouter(tags=["events"])

EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "the stream"}
}


@router.get("/events", response_class=EventSourceResponse, responses=EVENT_STREAM)
async def listen_events(
    context: Context,
    last_event_id: Annotated[str | None, Header(description="go on after this event")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="as Last-Event-ID, for a first call")] = None,
) -> EventSourceResponse:
    """annotation, prediction, training, features and job events, from now on or after the one named."""
    start = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 19 else after
    return EventSourceResponse(stream_events(context.events, start), ping=15)
