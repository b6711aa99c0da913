"""The built page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from backend.context import AppContext
from backend.errors import error_response
from backend.plain_pages import TASK_TITLES, not_found_page, other_task_page
from backend.schemas.session import SessionLink
from db.tasks import TASKS, Task

INDEX = ("", "/", "/index.html")
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Fewclick</title>
<p>The page is not built yet. Run <code>make setup</code> (or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>) in the project folder and reload. The API works:
<a href="api/openapi.json">api/openapi.json</a>.</p>
"""


class Page:
    """Serves frontend/dist; says what to run while it is not there. A build while the server runs is found too.

    A browser that asks for what is not there gets a page that leads to the sessions; a program gets the JSON error.
    The address of a task (/segmentation) leads to the page where that is the session's, else it says which task it has.
    """

    def __init__(self, dist: Path, sessions: Sequence[SessionLink] = ()) -> None:
        self._dist = dist
        self._sessions = sessions
        self._files = StaticFiles(directory=dist, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        wants_page = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        asked = TASKS.get(path.strip("/"))
        if asked is not None and scope["method"] in {"GET", "HEAD"}:
            await self._answer_for(asked, scope, wants_page=wants_page)(scope, receive, send)
            return
        if not path.startswith("/api/") and wants_page and not self._has(path):
            page = not_found_page(scope["path"], self._links())
            await HTMLResponse(page, status_code=404)(scope, receive, send)
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

    def _answer_for(self, asked: Task, scope: Scope, *, wants_page: bool) -> Response:
        """To the page, or why this is not the place for that task."""
        task, name = self._session(scope)
        if task is None or task == asked:
            return RedirectResponse(f"{scope.get('root_path', '')}/", status_code=307)
        if wants_page:
            others = [link for link in self._sessions if link.task == asked]
            page = other_task_page(asked, task, name, others, home=f"{scope.get('root_path', '')}/")
            return HTMLResponse(page, status_code=409)
        return error_response(
            409, "ConflictError", f"this is a {task.name} session, and a session keeps its task: make another one for "
            f"{asked.name} with `fewclick init --config FILE`"
        )  # fmt: skip

    def _session(self, scope: Scope) -> tuple[Task | None, str]:
        """Task and name of the session; None where no application with a session is around this."""
        context: AppContext | None = getattr(getattr(scope.get("app"), "state", None), "context", None)
        return (None, "") if context is None else (context.config.task, context.config.name)

    def _links(self) -> list[tuple[str, str, str]]:
        links = [(link.url, link.name, TASK_TITLES.get(link.task.name, link.task.name)) for link in self._sessions]
        return links or [("/", "the session of this server", "")]
