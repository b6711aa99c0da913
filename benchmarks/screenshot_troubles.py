"""What a server in trouble, or at work, would answer: for pictures of the page in these states."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from benchmarks.screenshot_acts import UNANSWERED, WAIT_MS, Act, Shown

NO_WEIGHTS = "weights/dinov3_vits16.pth does not exist: set weights_path to the file, or to null"
"""Why no features can be made."""
SILENCE = "retry: 600000\n\n"
"""A stream of events that never says anything."""


def silent_events(shown: Shown) -> None:
    shown.page.route("**/api/events*", lambda route: route.fulfill(content_type="text/event-stream", body=SILENCE))


def conflict(shown: Shown) -> None:
    state = shown.client.annotations(UNANSWERED)
    shown.client.put_annotations(UNANSWERED, {"points": [{"x": 40.5, "y": 40.5, "class_id": 1}]})
    shown.press(0.7, 0.7)
    expect(shown.page.get_by_test_id("toast").first).to_be_visible(timeout=WAIT_MS)
    shown.client.put_annotations(UNANSWERED, {"points": state["points"]})


def refused(shown: Shown) -> None:
    body = {"error": "InvalidAnnotationError", "detail": "class 7 does not exist: choose one of 1, 2, 3"}
    shown.answer("**/annotations**", 422, body)
    shown.press(0.7, 0.7)
    expect(shown.page.get_by_test_id("toast").first).to_be_visible(timeout=WAIT_MS)


def full_disk(shown: Shown) -> None:
    shown.answer(
        "**/annotations**", 507, {"error": "StorageFullError", "detail": "the disk is full: nothing was saved"}
    )
    shown.press(0.7, 0.7)
    shown.wait_for_text("Server cannot save")


def offline(shown: Shown) -> None:
    shown.page.route("**/api/**", lambda route: route.abort())
    shown.press(0.7, 0.7)
    shown.wait_for_text("The server does not answer")


def no_server(shown: Shown) -> None:
    shown.page.route("**/api/**", lambda route: route.abort())


def error(shown: Shown) -> None:
    shown.answer(
        "**/api/training/start", 500, {"error": "RunError", "detail": "the run could not be queued: database is locked"}
    )
    shown.keys("s")
    expect(shown.page.get_by_test_id("toast").first).to_be_visible(timeout=WAIT_MS)


def loading(shown: Shown) -> None:
    shown.page.route("**/file*", lambda _: None)


def health(part: str, **changes: object) -> Act:
    """The act of letting a part of the server seem to be in another state."""
    return lambda shown: shown.change("**/api/health", lambda values: values[part].update(changes))


def extracting(shown: Shown) -> None:
    """The features of most images are still to be made."""
    health("extraction", state="running", done=4, total=16, pooled_done=9, rate_images_s=0.5, eta_s=24)(shown)


def pending(shown: Shown) -> None:
    shown.change(f"**/api/images/{UNANSWERED}", lambda values: values.update({"features": "pending"}))
    extracting(shown)
    shown.page.route("**/prediction*", lambda route: route.fulfill(status=404, json={"error": "X", "detail": "none"}))


def running(shown: Shown) -> None:
    """A run in its tenth epoch, whose labels changed meanwhile."""
    losses = {
        "train_loss": [1.1 * 0.8**epoch for epoch in range(10)],
        "val_loss": [0.4 + 0.8**epoch for epoch in range(10)],
    }
    state = {
        "state": "RUNNING",
        "epoch": 10,
        "best_epoch": None,
        "reason": None,
        "message": "",
        "stop_requested": False,
    }
    shown.change("**/api/training", lambda values: values.update(losses | state))


def failed_run(shown: Shown) -> None:
    """A run that ended with an error."""
    message = "the head has 3 classes, the labels have 4: start the run again"
    shown.change("**/api/training", lambda values: values.update({"state": "FAILED", "message": message}))


def other_version(shown: Shown) -> None:
    """The server was updated while the page was open."""
    shown.change("**/api/health", lambda values: values.update({"version": "9.9.9"}))
    expect(shown.page.get_by_test_id("page-outdated")).to_be_visible(timeout=WAIT_MS)


def nothing_listed(shown: Shown) -> None:
    """The list of images cannot be had."""
    body = {"error": "DatabaseBusyError", "detail": "the database is locked: try again"}
    shown.page.route(re.compile(r"/api/images\?"), lambda route: route.fulfill(status=503, json=body))
