"""The real product for the tests: made by init_session.py, run as processes, seen through a real browser."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from backend.main import create_app
from backend.settings import Settings
from benchmarks.product import ROOT, Product, init_session, write_config
from fewclick.ensure_browser import find_browser
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage, Watch
from tests.end_to_end.sample_images import write_scene_tiles, write_texture_tiles, write_tissue_tiles

BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BUILD_LIMIT_S = 240
SERVER_LIMIT_S = 20.0
EXPECT_MS = 20_000
"""Where other work shares the machine a page takes its time to come up; what is there at once ends the wait at once."""
SCENE_CLASSES = (
    {"name": "brick", "color": "#C0392B", "group": "material"},
    {"name": "grass", "color": "#27AE60", "group": "material"},
    {"name": "dark", "color": "#34495E"},
)
PREPARED: dict[str, tuple[Callable[[Path], object], Sequence[tuple[str, str] | dict[str, str]]]] = {
    "segmentation": (write_tissue_tiles, [("nuclei", "#00FF00"), ("background", "#FF0000")]),
    "classification": (write_texture_tiles, [("brick", "#C0392B"), ("grass", "#27AE60"), ("gravel", "#7F8C8D")]),
    "multilabel": (write_scene_tiles, SCENE_CLASSES),
}
"""By task: what writes its images, its classes."""
StartProduct = Callable[[str], Product]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """CI tries a browser test that failed once more, and names it as RERUN in its summary: it is to be mended."""
    if os.environ.get("CI"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def prepared_session(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Untouched session folder of a task, made when it is first asked for; tests work on copies beside it."""
    # One for all processes that share the tests: their folders of temporary files lie beside each other.
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prepared"
    home.mkdir(exist_ok=True)

    def get(task: str) -> Path:
        mark = home / f"{task}.made"
        with (home / f"{task}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not mark.exists():
                write_tiles, classes = PREPARED[task]
                write_tiles(home / f"{task}-images")
                config = write_config(
                    home / f"{task}.yaml",
                    task=task,
                    image_dir=home / f"{task}-images",
                    session_dir=home / task,
                    classes=classes,
                    resize=256,
                )
                init_session(config)
                mark.touch()
        return home / task

    return get


@pytest.fixture
def start_product(prepared_session: Callable[[str], Path], tmp_path: Path) -> Iterator[StartProduct]:
    """Starts backend and ML service of a task on a fresh copy of its session."""
    with ExitStack() as stack:

        def start(task: str) -> Product:
            prepared = prepared_session(task)
            # Beside the prepared one, so that paths relative to the session folder still hold.
            copy = prepared.with_name(f"{task}-{tmp_path.parent.name}-{tmp_path.name}")
            shutil.copytree(prepared, copy)
            stack.callback(shutil.rmtree, copy, ignore_errors=True)
            return stack.enter_context(Product(copy, tmp_path / "logs"))

        yield start


@pytest.fixture(scope="session")
def built_frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """frontend/dist, built if it is missing."""
    dist = ROOT / "frontend" / "dist"
    # One process of those that share the tests builds, the others wait.
    with (tmp_path_factory.getbasetemp().parent / "frontend.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (dist / "index.html").is_file():
            _build_frontend()
    return dist


def _build_frontend() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _skip_or_fail("npm was not found: install Node 20 or newer to build the page")
    commands = [["run", "build"]] if (ROOT / "frontend" / "node_modules").is_dir() else [["ci"], ["run", "build"]]
    for command in commands:
        subprocess.run([str(npm), *command], cwd=ROOT / "frontend", check=True, timeout=BUILD_LIMIT_S)


@pytest.fixture
def serve_page(built_frontend: Path) -> Iterator[Callable[..., str]]:
    """`serve_page(session, **settings)`: serves it from this process and gives the address; nothing learns there."""
    with ExitStack() as stack:

        def start(session: ReadySession, **settings: Any) -> str:
            app = create_app(Settings(session=session.folder, frontend_dist=built_frontend, **settings))
            server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            stack.callback(_stop, server, thread)
            started = time.monotonic()
            while not server.started:
                assert time.monotonic() - started < SERVER_LIMIT_S
                time.sleep(0.02)
            return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"

        yield start


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = server.force_exit = True  # the page still listens to its events
    thread.join(SERVER_LIMIT_S)


@pytest.fixture(scope="session")
def playwright_started() -> Iterator[Playwright]:
    """One for all browsers."""
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright_started: Playwright) -> Iterator[Browser]:
    """A headless Chromium."""
    program = find_browser()
    if program is None:
        _skip_or_fail("no Chromium was found: run `make setup`, or set FEWCLICK_BROWSER to its program")
    running = playwright_started.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS, headless=True)
    yield running
    running.close()


def _skip_or_fail(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def page(browser: Browser, built_frontend: Path) -> Iterator[Page]:  # noqa: ARG001
    """A page of its own profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def watch(page: Page) -> Iterator[Watch]:
    """Fails the test in the end when the page reported an error or asked another host for anything."""
    watch = Watch(page)
    yield watch
    assert watch.foreign_requests == []
    assert watch.unexpected_errors() == []


@pytest.fixture
def labeling(page: Page, watch: Watch) -> LabelingPage:
    """The labelling page, not opened yet."""
    return LabelingPage(page, watch)
