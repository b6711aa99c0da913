"""A real HTTP server on this machine that answers as a test asks."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

Answer = Callable[[http.server.BaseHTTPRequestHandler, int], None]


class WebServer:
    """`files` are served as they are, `answers` get the request and how often the path was asked before."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._counts: Counter[str] = Counter()
        self._active = 0
        self._lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path = unquote(self.path)
                with server._lock:
                    server.requests.append(path)
                    server.times.append(time.monotonic())
                    count = server._counts[path]
                    server._counts[path] += 1
                    server._active += 1
                    server.most_at_once = max(server.most_at_once, server._active)
                try:
                    server._answer(self, path, count)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the other side has had enough
                finally:
                    with server._lock:
                        server._active -= 1

        self._httpd = http.server.ThreadingHTTPServer((host, 0), Handler)
        self._httpd.daemon_threads = True

    def url(self, path: str) -> str:
        return f"http://{self._httpd.server_address[0]}:{self._httpd.server_port}{path}"

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, path: str, count: int) -> None:
        if path in self.answers:
            self.answers[path](handler, count)
        elif path in self.files:
            send(handler, self.files[path])
        elif path.startswith("/status/"):
            handler.send_error(int(path.removeprefix("/status/")))
        else:
            handler.send_error(404)

    @contextmanager
    def running(self) -> Iterator[WebServer]:
        thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._httpd.shutdown()
            self._httpd.server_close()
            thread.join()


def send(handler: http.server.BaseHTTPRequestHandler, data: bytes, *, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(data)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def redirect(target: str, status: int = 302) -> Answer:
    return lambda handler, _count: send(handler, b"", status=status, Location=target)
