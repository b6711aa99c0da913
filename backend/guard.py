"""What no route may have to think of: foreign hosts and origins, bodies that are no JSON, bodies that are too large."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import error_response
from backend.settings import Settings

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """Lets a request pass, or answers it itself.

    A page of another site can send requests to this machine, and by a name of its own that it makes point here (DNS
    rebinding) it could read the answers too. So the Host must be one of ours, and a write must come from our page (its
    Origin) and be JSON, which a plain form cannot send.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._allowed_hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._max_body_bytes = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, _plain_failure(send))
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers)
        if refusal is not None:
            await error_response(*refusal)(scope, receive, send)
            return
        if scope["method"] == "HEAD" and _is_api(scope) and not scope["path"].endswith("/events"):
            # What GET would answer, without the body; the server itself still knows that it was HEAD.
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        body = _LimitedBody(receive, self._max_body_bytes)
        await self._app(scope, body.receive, body.watch(send, scope))

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return (
                421,
                "UnknownHostError",
                (
                    f"this server does not answer to {host[:100]!r}: use 127.0.0.1 or localhost, "
                    "or name the host in FEWCLICK_ALLOWED_HOSTS"
                ),
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, host):
            return (
                403,
                "ForeignOriginError",
                (f"a page of {origin[:100]!r} may not use this server: open the page that this server itself offers"),
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._max_body_bytes:
            return _too_large(self._max_body_bytes)
        has_body = length not in ("", "0") or "transfer-encoding" in headers
        content_type = headers.get("content-type", "").split(";")[0].strip().lower()
        if method in WRITES and has_body and content_type != "application/json":
            return 415, "ContentTypeError", f"the body is {content_type or 'of no type'}: send application/json"
        return None

    def _is_ours(self, host: str) -> bool:
        name = _host_name(host)
        return name in self._allowed_hosts or "*" in self._allowed_hosts or _is_loopback(name)

    def _is_own_origin(self, origin: str, host: str) -> bool:
        # The host is ours already; of the development server of the page only the port differs.
        name = _host_name(urlsplit(origin).netloc)
        return bool(name) and (name == _host_name(host) or name in self._allowed_hosts or _is_loopback(name))


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith("/api/")


def _without_body(send: Send) -> Send:
    async def bare(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return bare


def _plain_failure(send: Send) -> Send:
    """`send`, with the last line in place of the whole traceback where a session cannot be opened."""

    async def plain(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message.get("message", "").strip().splitlines()[-1:]
            name, _, text = "".join(last_line).partition(": ")
            # Of an error that is meant for a person the text says all; any other is told with its name.
            detail = text if name.startswith(("db.errors.", "models.errors.")) else "".join(last_line)
            message = {**message, "message": f"fewclick: {detail}"}
        await send(message)

    return plain


class _LimitedBody:
    """A body of unstated length, refused with 413 once it is too long, before anything is done with it."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0
        self._exceeded = False

    async def receive(self) -> Message:
        """The next part; a lost connection once the limit is passed: what came may look complete and is not."""
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._exceeded or self._size > self._limit:
            self._exceeded = True
            return {"type": "http.disconnect"}
        return message

    def watch(self, send: Send, scope: Scope) -> Send:
        """`send`, with 413 in place of what the application says to the piece of a body that it got."""
        started = replaced = False

        async def watched(message: Message) -> None:
            nonlocal started, replaced
            # An answer that has begun was given without the body.
            if started or not self._exceeded:
                started = True
                await send(message)
            elif not replaced:
                replaced = True
                await error_response(*_too_large(self._limit))(scope, self._receive, send)

        return watched


def _too_large(limit: int) -> tuple[int, str, str]:
    return 413, "BodyTooLargeError", f"the body is larger than {limit} bytes: send less at once"


def _host_name(host: str) -> str:
    """Without port, user and brackets, in lower case; empty for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
