"""The real application on a ready-made session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from backend.main import create_app
from backend.settings import Settings


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[BaseRoute]:
    """Those of an application. They hold nothing of a session, and to work them out anew costs more than most tests."""
    folder = tmp_path_factory.mktemp("no_session")
    return create_app(Settings(session=folder, frontend_dist=folder)).router.routes


@pytest.fixture
def serve(tmp_path: Path, routes: list[BaseRoute]) -> Iterator[Callable[..., TestClient]]:
    """`serve(session, **settings)`: a client of the application, which runs until the test ends."""
    with ExitStack() as stack:

        def start(session: Any, **settings: Any) -> TestClient:
            values = {"session": session.folder, "frontend_dist": tmp_path / "dist"} | settings
            app = create_app(Settings(**values))
            app.router.routes = routes
            return stack.enter_context(TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False))

        yield start


@pytest.fixture
def seg(segmentation_session: Any, serve: Callable[..., TestClient]) -> TestClient:
    """Client of a segmentation session."""
    return serve(segmentation_session)


@pytest.fixture
def cla(classification_session: Any, serve: Callable[..., TestClient]) -> TestClient:
    """Client of a classification session."""
    return serve(classification_session)


@pytest.fixture
def mul(multilabel_session: Any, serve: Callable[..., TestClient]) -> TestClient:
    """Client of a multilabel session: day and night exclude each other, car stands alone."""
    return serve(multilabel_session)
