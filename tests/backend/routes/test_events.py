"""Server-sent events from a real server process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.queries.events import add_event

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(segmentation_session: Any) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "backend.main:app", "--port", str(port), "--log-level", "warning"],
        cwd=ROOT,
        env=os.environ | {"FEWCLICK_SESSION": str(segmentation_session.folder)},
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/health")
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    yield url, process
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stderr.close()


def read_events(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    """The next `count` events that carry data."""
    events: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(("id: ", "event: ", "data: ")):
            name, value = line.split(": ", 1)
            event[name] = json.loads(value) if name == "data" else value
        elif not line:
            if "data" in event:
                events.append(event)
            event = {}
        if len(events) == count:
            return events
    return events


def test_events__live_resumed_and_ended_with_the_server(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = server
    put = f"{url}/images/1/annotations"
    with httpx.Client(timeout=20) as client:
        with client.stream("GET", f"{url}/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.iter_lines()
            assert next(lines).startswith(":")
            client.put(put, json={"points": [{"x": 1, "y": 1, "class_id": 1}]})
            client.put(put, json={"points": []})
            events = read_events(lines, 2)
        assert [(event["event"], event["data"]) for event in events] == [
            ("annotation", {"image_id": 1, "revision": 1}),
            ("annotation", {"image_id": 1, "revision": 2}),
        ]

        with client.stream("GET", f"{url}/events", headers={"Last-Event-ID": events[0]["id"]}) as response:
            lines = response.iter_lines()
            assert read_events(lines, 1) == events[1:]
            client.post(f"{put}/skip")
            (event,) = read_events(lines, 1)
            assert event["data"]["revision"] == 3

        # An id that this database never gave, or has forgotten, hides nothing that comes.
        with client.stream("GET", f"{url}/events?after=999999") as response:
            lines = response.iter_lines()
            assert next(lines).startswith(":")
            client.post(f"{put}/undo")
            (event,) = read_events(lines, 1)
            assert event["data"]["revision"] == 4

            process.send_signal(signal.SIGTERM)
            assert read_events(lines, 1) == [], "the stream ends whole"
        assert process.wait(timeout=15) in (0, -signal.SIGTERM)
        assert b"ERROR" not in process.stderr.read()


def test_events__with_the_prediction_itself_for_those_who_want_it(
    server: tuple[str, subprocess.Popen[bytes]], segmentation_session: Any
) -> None:
    url, _process = server
    with (
        httpx.Client(timeout=20) as client,
        client.stream("GET", f"{url}/events?predictions=true") as full,
        client.stream("GET", f"{url}/events") as plain,
    ):
        full_lines, plain_lines = full.iter_lines(), plain.iter_lines()
        assert next(full_lines).startswith(":")
        assert next(plain_lines).startswith(":")
        segmentation_session.add_prediction(1)
        with segmentation_session.database.write() as db_session:
            add_event(db_session, "prediction", image_id=1, version=1)
        (event,), (other,) = read_events(full_lines, 1), read_events(plain_lines, 1)
        assert other["data"] == {"image_id": 1, "version": 1}
        assert event["data"]["prediction"] == client.get(f"{url}/images/1/prediction").json()
        assert [found["class_id"] for found in event["data"]["maps"]] == [1]
        # Past events come as they were: what they announced may be out of date.
        with client.stream("GET", f"{url}/events?predictions=true&after={int(event['id']) - 1}") as late:
            assert read_events(late.iter_lines(), 1) == [other]
