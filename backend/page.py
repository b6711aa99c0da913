"""The built page."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

INDEX = ("", "/", "/index.html")
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Fewclick</title>
<p>The page is not built yet. Run <code>make setup</code> (or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>) in the project folder and reload. The API works:
<a href="api/openapi.json">api/openapi.json</a>.</p>
"""


class Page:
    """Serves frontend/dist; says what to run while it is not there. A build while the server runs is found too."""

    def __init__(self, dist: Path) -> None:
        self._dist = dist
        self._files = StaticFiles(directory=dist, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith("/api/") or not (self._dist.is_dir() or path in INDEX):
            raise HTTPException(404)
        if path in INDEX and not (self._dist / "index.html").is_file():
            await HTMLResponse(NOT_BUILT, status_code=503)(scope, receive, send)
            return
        await self._files(scope, receive, send)
