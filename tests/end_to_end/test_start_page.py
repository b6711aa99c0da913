"""The start page and the addresses of tasks, in a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from db.tasks import Task
from fewclick.sessions import describe_sessions
from fewclick.web import combine, create_apps
from tests.conftest import make_session
from tests.end_to_end.conftest import SERVER_LIMIT_S
from tests.end_to_end.labeling_page import LabelingPage


@pytest.fixture
def server(built_frontend: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server of two sessions, which knows a folder with one more."""
    del built_frontend
    for folder, task in (("cells", Task.SEGMENTATION), ("pets", Task.CLASSIFICATION), ("root/birds", Task.MULTILABEL)):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        make_session(tmp_path / folder, task).database.close()
    monkeypatch.setenv("FEWCLICK_SESSIONS_ROOT", str(tmp_path / "root"))
    mounts = describe_sessions([tmp_path / "cells", tmp_path / "pets"])
    running = uvicorn.Server(
        uvicorn.Config(combine(mounts, create_apps(mounts)), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    started = time.monotonic()
    while not running.started:
        assert time.monotonic() - started < SERVER_LIMIT_S
        time.sleep(0.02)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = running.force_exit = True  # the page still listens to its events
    thread.join(SERVER_LIMIT_S)


def test_start_page__leads_to_a_session_and_back(page: Page, server: str, labeling: LabelingPage) -> None:
    page.goto(f"{server}/#/start")
    cards = page.get_by_test_id("session-card")
    expect(cards).to_have_count(3)
    assert [card.get_attribute("data-task") for card in cards.all()] == ["segmentation", "classification", "multilabel"]
    expect(cards.nth(1)).to_contain_text("0 / 6 labelled")
    expect(cards.nth(1).locator("img").first).to_have_js_property("complete", value=True)
    expect(cards.nth(2)).to_contain_text("fewclick up --session birds")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_test_id("copy-command").click()
    labeling.wait_until(
        lambda: page.evaluate("navigator.clipboard.readText()") == "fewclick up --session birds", "the command copied"
    )
    page.get_by_role("link", name="toy classification").click()
    labeling.wait_for_image()
    assert "/s/toy-classification/" in page.url
    page.keyboard.press("2")
    labeling.wait_until(lambda: labeling.image_id == 2, "the next image")
    page.get_by_test_id("logo").click()
    expect(cards.nth(1)).to_contain_text("1 / 6 labelled")


def test_task_addresses__lead_to_the_page_or_say_which_task_it_is(
    page: Page, server: str, labeling: LabelingPage
) -> None:
    page.goto(f"{server}/s/toy-classification/classification")
    labeling.wait_for_image()
    labeling.watch.errors.clear()
    page.goto(f"{server}/s/toy-classification/segmentation")
    expect(page.get_by_role("heading", name="This session is for classification, not segmentation")).to_be_visible()
    page.get_by_role("link", name="toy segmentation").click()
    labeling.wait_for_image()
    page.goto(f"{server}/nothing/here")
    expect(page.get_by_role("heading", name="There is no session at this address")).to_be_visible()
    page.get_by_role("link", name="All sessions").click()
    expect(page.get_by_test_id("session-card")).to_have_count(3)
    # The browser itself notes the two answers that are no success.
    labeling.watch.errors[:] = [e for e in labeling.watch.errors if "409" not in e and "404" not in e]
