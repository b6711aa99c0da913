"""The built page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from backend.schemas.session import SessionLink

INDEX = ("", "/", "/index.html")
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Fewclick</title>
<p>The page is not built yet. Run <code>make setup</code> (or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>) in the project folder and reload. The API works:
<a href="api/openapi.json">api/openapi.json</a>.</p>
"""
NOT_FOUND = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not here · Fewclick</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<body style="max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem; font: 16px/1.6 system-ui, sans-serif">
<h1>There is no session at this address</h1>
<p>Nothing is served at <code>{path}</code>. This server offers:</p><ul>{links}</ul>
<p>A session of another folder is served by <code>fewclick up --session FOLDER</code>; give <code>--session</code>
several times to serve several on one port.</p></body></html>
"""


class Page:
    """Serves frontend/dist; says what to run while it is not there. A build while the server runs is found too.

    A browser that asks for what is not there gets a page that leads to the sessions; a program gets the JSON error.
    """

    def __init__(self, dist: Path, sessions: Sequence[SessionLink] = ()) -> None:
        self._dist = dist
        self._sessions = sessions
        self._files = StaticFiles(directory=dist, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        wants_page = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        if not path.startswith("/api/") and wants_page and not self._has(path):
            await HTMLResponse(self._not_found(scope["path"]), status_code=404)(scope, receive, send)
            return
        if path.startswith("/api/") or not (self._dist.is_dir() or path in INDEX):
            raise HTTPException(404)
        if path in INDEX and not (self._dist / "index.html").is_file():
            await HTMLResponse(NOT_BUILT, status_code=503)(scope, receive, send)
            return
        await self._files(scope, receive, send)

    def _has(self, path: str) -> bool:
        try:
            return path in INDEX or bool(self._files.lookup_path(path.lstrip("/"))[1])
        except (OSError, ValueError):
            return False  # a name that no file can have

    def _not_found(self, path: str) -> str:
        links = [(link.url, link.name) for link in self._sessions] or [("/", "the session of this server")]
        items = "".join(f'<li><a href="{escape(url)}">{escape(name)}</a></li>' for url, name in links)
        return NOT_FOUND.format(path=escape(path), links=items)
