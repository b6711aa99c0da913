"""A thin client of the HTTP contract: one kept-alive connection, plain dictionaries in and out."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image

PAGE_SIZE = 200
WaitMode = Literal["poll", "events"]


class ProductError(Exception):
    """The product did not answer as the contract says; the message holds request, status and answer."""


class Client:
    """One session of the product at `base_url`."""

    def __init__(self, base_url: str, *, timeout_s: float = 60.0) -> None:
        # trust_env off: a proxy that the environment names has no business between two local processes.
        self._http = httpx.Client(base_url=base_url.rstrip("/") + "/api/", timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Answer of a request that must succeed, as JSON values; None for an empty one."""
        answer = self._expect(self._http.request(method, path, **options))
        return answer.json() if answer.content else None

    def images(self) -> list[dict[str, Any]]:
        """All images, page by page."""
        found: list[dict[str, Any]] = []
        cursor: Any = None
        while True:
            query = {"limit": PAGE_SIZE} | ({} if cursor is None else {"cursor": cursor})
            page = self.json("GET", "images", params=query)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def annotations(self, image_id: int) -> dict[str, Any]:
        """Annotation state of an image."""
        state: dict[str, Any] = self.json("GET", f"images/{image_id}/annotations")
        return state

    def put_annotations(self, image_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """Replace the annotation of an image; the new state."""
        state: dict[str, Any] = self.json("PUT", f"images/{image_id}/annotations", json=body)
        return state

    def clear_annotations(self, image_id: int) -> None:
        """Remove the annotation of an image."""
        self.json("DELETE", f"images/{image_id}/annotations")

    def prediction(self, image_id: int) -> dict[str, Any] | None:
        """Newest prediction of an image, None until there is one."""
        answer = self._http.get(f"images/{image_id}/prediction")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        prediction: dict[str, Any] = self._expect(answer).json()
        return prediction

    def probability_map(self, image_id: int, class_id: int, size: Literal["grid", "image"]) -> npt.NDArray[np.float32]:
        """P(class) as (H, W), 0..1 in steps of 1/255."""
        query: dict[str, Any] = {"class_id": class_id, "size": size}
        answer = self._expect(self._http.get(f"images/{image_id}/prediction/map", params=query))
        with Image.open(io.BytesIO(answer.content)) as picture:
            return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)

    def wait_for_prediction(
        self,
        image_id: int,
        good: Callable[[dict[str, Any] | None], bool],
        *,
        poll_interval_s: float,
        limit_s: float,
    ) -> dict[str, Any] | None:
        """The first answer of GET prediction that is `good`.

        Raises:
            ProductError: none came within `limit_s`.
        """
        deadline = time.perf_counter() + limit_s
        while True:
            prediction = self.prediction(image_id)
            if good(prediction):
                return prediction
            if time.perf_counter() > deadline:
                raise ProductError(f"image {image_id}: waited {limit_s:g} s for a prediction; last seen: {prediction}")
            time.sleep(poll_interval_s)

    def _expect(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            request = answer.request
            raise ProductError(f"{request.method} {request.url} answered {answer.status_code}: {answer.text[:500]}")
        return answer


class PredictionEvents:
    """Server-sent prediction events of a session, read by a thread: what the page listens to."""

    def __init__(self, base_url: str) -> None:
        self._url = base_url.rstrip("/") + "/api/events"
        self._changed = threading.Condition()
        self._revisions: dict[int, int] = {}
        self._connected = threading.Event()
        self._client = httpx.Client(timeout=httpx.Timeout(10.0, read=None), trust_env=False)
        self._thread = threading.Thread(target=self._read, name="events", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._connected.wait(10):
            raise ProductError(f"{self._url} did not answer within 10 s")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def wait(self, image_id: int, revision: int, limit_s: float) -> None:
        """Return as soon as a prediction of the image was announced that has learned from `revision`.

        Raises:
            ProductError: none was announced within `limit_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._revisions.get(image_id, -1) >= revision, limit_s):
                raise ProductError(f"image {image_id}: no prediction event for revision {revision} in {limit_s:g} s")

    def _read(self) -> None:
        try:
            with self._client.stream("GET", self._url) as answer:
                self._connected.set()
                for kind, data in parse_events(answer.iter_lines()):
                    if kind == "prediction" and "annotation_revision" in data:
                        with self._changed:
                            self._revisions[int(data["image_id"])] = int(data["annotation_revision"])
                            self._changed.notify_all()
        except (httpx.HTTPError, httpx.StreamError):
            return  # closed by us, or the server went away: `wait` then runs into its limit and says so


def parse_events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event name, JSON data) of a server-sent event stream."""
    kind, data = "message", []
    for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif not line:
            if data:
                yield kind, json.loads("\n".join(data))
            kind, data = "message", []
