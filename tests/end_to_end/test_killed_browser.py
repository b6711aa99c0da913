"""A browser that is killed while the server is away: its next start brings what was said, and sends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

from benchmarks.client import Client
from fewclick.ensure_browser import find_browser
from tests.conftest import ReadySession
from tests.end_to_end.conftest import BROWSER_ARGUMENTS
from tests.end_to_end.labeling_page import LabelingPage, Watch
from tests.end_to_end.test_flow_page import expect_image, expect_sign
from tests.end_to_end.test_undo_offline import ANNOTATIONS, expect_seen, only_reading

START_LIMIT_S = 30.0
Serve = Callable[[ReadySession], str]
Start = Callable[[], tuple[Page, Callable[[], None]]]


@contextmanager
def running_browser(playwright: Playwright, profile: Path) -> Iterator[tuple[Page, Callable[[], None]]]:
    """A browser of that profile: its page, and what kills it."""
    arguments = [*BROWSER_ARGUMENTS, "--headless=new", "--remote-debugging-port=0", "--no-first-run"]
    told = profile / "DevToolsActivePort"
    told.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(find_browser()), *arguments, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(START_LIMIT_S)

    try:
        started = time.monotonic()
        while not (told.is_file() and "\n" in told.read_text()):
            assert process.poll() is None, "the browser has ended"
            assert time.monotonic() - started < START_LIMIT_S, "the browser did not start"
            time.sleep(0.05)
        connected = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{told.read_text().split()[0]}")
        page = connected.contexts[0].new_page()
        page.set_viewport_size({"width": 1280, "height": 800})
        yield page, kill
    finally:
        kill()


@pytest.fixture
def profile(tmp_path: Path, built_frontend: Path, browser: Browser) -> Path:  # noqa: ARG001 - skips where there is none
    """Folder of a browser's data."""
    folder = tmp_path / "profile"
    folder.mkdir()
    return folder


def test_killed__right_after_a_quick_series_of_points(
    playwright_started: Playwright, profile: Path, serve_page: Serve, segmentation_session: ReadySession
) -> None:
    address = f"{serve_page(segmentation_session)}#/image/1"
    with running_browser(playwright_started, profile) as (page, kill):
        labeling = LabelingPage(page, Watch(page))
        page.goto(address)
        expect_seen(page, 1)
        page.route(ANNOTATIONS, only_reading)
        labeling.click_image(0.2, 0.2)
        expect_sign(page, "Offline – kept here")
        for place in (0.3, 0.4, 0.5, 0.6, 0.7):
            labeling.click_image(place, 0.8)
        kill()
    with running_browser(playwright_started, profile) as (page, _):
        page.goto(address)
        expect_image(page, 1)
        expect_sign(page, "Saved")
        with Client(address.split("#")[0]) as client:
            assert len(client.annotations(1)["points"]) == 6


def test_killed__right_after_a_quick_series_of_labels(
    playwright_started: Playwright, profile: Path, serve_page: Serve, classification_session: ReadySession
) -> None:
    url = serve_page(classification_session)
    with running_browser(playwright_started, profile) as (page, kill):
        page.goto(f"{url}#/image/1")
        expect_seen(page, 1)
        page.route(ANNOTATIONS, only_reading)
        page.get_by_test_id("auto-advance").set_checked(False)
        page.get_by_test_id("auto-advance").blur()
        page.keyboard.press("1")
        expect_sign(page, "Offline – kept here")
        for key in ("2", "3"):
            page.keyboard.press(key)
        kill()
    with running_browser(playwright_started, profile) as (page, _):
        page.goto(f"{url}#/image/1")
        expect_image(page, 1)
        expect_sign(page, "Saved")
        with Client(url) as client:
            assert client.annotations(1)["label"]["class_id"] == 3
