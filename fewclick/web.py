"""One or more sessions as one web application on an open socket.

`python -m fewclick.web --fd N DIR...` is the supervisor's web process: the supervisor owns the socket, so that a
restart of this process refuses no connection.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from backend.main import create_app
from backend.settings import Settings, Sibling
from db.errors import FewclickError
from fewclick.sessions import SessionMount, describe_sessions

SHUTDOWN_LIMIT_S = 2
"""How long open event streams may hold up the end."""
KEEP_ALIVE_S = 75
"""People think between clicks: a click should not wait for a new connection."""


def create_apps(mounts: Sequence[SessionMount]) -> list[FastAPI]:
    """One application for each session; each knows of the others."""
    if len(mounts) == 1:
        return [create_app(Settings(session=mounts[0].session_dir))]
    return [create_app(_settings(mount, mounts)) for mount in mounts]


def combine(mounts: Sequence[SessionMount], apps: Sequence[FastAPI]) -> ASGIApp:
    """Each session under /s/SLUG/, the first at / too; a single one just at /."""
    if len(apps) == 1:
        return apps[0]

    @asynccontextmanager
    async def lifespan(_parent: Starlette) -> AsyncIterator[None]:
        # Starlette runs the lifespan of the outermost application only.
        async with AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    routes: list[Route | Mount] = []
    for mount, app in zip(mounts, apps, strict=True):
        routes.append(Route(mount.url.rstrip("/"), _add_slash))
        routes.append(Mount(mount.url.rstrip("/"), app))
    return Starlette(routes=[*routes, Mount("/", apps[0])], lifespan=lifespan)


def _settings(current: SessionMount, mounts: Sequence[SessionMount]) -> Settings:
    siblings = tuple(
        Sibling(
            name=mount.name,
            task=mount.task,
            url=mount.url,
            current=mount is current,
            session_dir=mount.session_dir,
        )
        for mount in mounts
    )
    return Settings(session=current.session_dir, sessions=siblings)


async def _add_slash(request: Request) -> RedirectResponse:
    # The page's own links are relative: without the slash they would point one level too high.
    return RedirectResponse(request.url.replace(path=request.url.path + "/"))


def serve(mounts: Sequence[SessionMount], listener: socket.socket, log_level: str = "warning") -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        combine(mounts, create_apps(mounts)),
        log_level=log_level,
        timeout_graceful_shutdown=SHUTDOWN_LIMIT_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve on the inherited socket; 2 with one line when a session cannot be opened."""
    parser = argparse.ArgumentParser(prog="python -m fewclick.web")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("session_dirs", type=Path, nargs="+")
    parsed = parser.parse_args(arguments)
    try:
        mounts = describe_sessions(parsed.session_dirs)
    except FewclickError as error:
        print(f"fewclick: {error}", file=sys.stderr)
        return 2
    with socket.socket(fileno=parsed.fd) as listener:
        serve(mounts, listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
