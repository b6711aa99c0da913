"""Shared by the tests of initialization."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.initialization.web_server import WebServer


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    """A real HTTP server on 127.0.0.1."""
    with WebServer().running() as server:
        yield server
