"""One file from the web: redirects followed by hand, private networks only where the list names them, all bounded."""

from __future__ import annotations

import email.utils
import functools
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from initialization.web_addresses import addresses_of, is_private_name, leads_only_to_private, refusal

USER_AGENT = "fewclick"
MAX_REDIRECTS = 5
PeerCheck = Callable[[socket.socket], None]
"""Raises `RefusedError` for a connection that is not to be used."""
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING_CODES = {408, 425, 429, 500, 502, 503, 504}
"""Answers that another try may turn into a better one."""
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


@dataclass(frozen=True)
class Limits:
    """What a download may take, and how much of it at a time."""

    threads: int = 16
    per_host: int = 4
    """Downloads from one host at a time."""
    tries: int = 4
    first_wait_s: float = 0.5
    """Before the second try, then twice as long each time, spread by chance from half to one and a half times."""
    max_retry_after_s: float = 120.0
    """A server that asks for a longer pause is left alone until the next run."""
    timeout_s: float = 30.0
    """Without a byte."""
    deadline_s: float = 900.0
    """For one file."""
    max_bytes: int = 512 * 1024**2


class RefusedError(Exception):
    """The file cannot be had; the message is a line for a person."""


class TryAgainError(Exception):
    """The file cannot be had now."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        """What the server asks for, for all its files; None if it does not say."""


@contextmanager
def open_web(url: str, limits: Limits) -> Iterator[BoundedStream]:
    """The body behind an http or https address; reads raise `RefusedError` past the limits.

    A list from elsewhere should not make this machine fetch what only it can reach. So: link-local addresses and those
    of cloud metadata never; a private address only where the list names a private host (an address, a name without a
    dot, or one such as `nas.lan`), and by redirect only from a host all of whose addresses are private. A list can
    still name any other private host. Behind a proxy names are looked up here, and the proxy may see other addresses.

    Raises:
        RefusedError, TryAgainError: also while the body is read.
    """
    deadline = time.monotonic() + limits.deadline_s
    try:
        with _follow(url, limits) as response:
            _check_answer(url, response, limits)
            yield BoundedStream(response, url, limits.max_bytes, deadline)
            # Where a server announced a length, this is what is left of it; reading in pieces ends silently before.
            if response.length:
                raise TryAgainError(f"{url} broke off: {response.length} of the announced bytes are missing")
    except urllib.error.HTTPError as error:
        reason = f"{url} answered {error.code} {error.reason}"
        if error.code not in _PASSING_CODES:
            raise RefusedError(reason) from error
        raise TryAgainError(reason, _retry_after_s(error.headers)) from error
    except _NETWORK_ERRORS as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise TryAgainError(f"{url} cannot be reached: {reason}") from error


class BoundedStream:
    """Reads until a number of bytes or a point in time, whatever length a server announces."""

    def __init__(self, stream: IO[bytes], name: str, max_bytes: int, deadline: float = float("inf")) -> None:
        self._stream = stream
        self._name = name
        self._left = self._limit = max_bytes
        self._deadline = deadline

    def read(self, size: int = -1, /) -> bytes:
        """As that of a file.

        Raises:
            RefusedError: more than allowed.
            TryAgainError: nothing more comes; an OSError would not tell from one of the disk that is written to.
        """
        # read1 returns what has come: a server that sends a byte now and then is noticed.
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            chunk: bytes = read(size)
        except OSError as error:
            raise TryAgainError(f"{self._name} broke off: {error.strerror or error}") from error
        self._left -= len(chunk)
        if self._left < 0:
            raise RefusedError(f"{self._name} has more than {self._limit / 1024**2:.0f} MB")
        if time.monotonic() > self._deadline:
            raise RefusedError(f"{self._name} is too slow: the time for one file is over")
        return chunk


def host_of(url: str) -> str:
    """Name and port, empty for what is no web address."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower() if parts.scheme in {"http", "https"} else ""


@contextmanager
def _follow(url: str, limits: Limits) -> Iterator[http.client.HTTPResponse]:
    allows_private = is_private_name(_name(url))
    current = _escaped(url)
    for hop in range(MAX_REDIRECTS + 1):
        what = f"{url} redirects to {_name(current)}" if hop else f"{url} leads to {_name(current)}"
        is_proxied = _is_proxied(current)
        if hop or is_proxied:  # else the peer says it, which saves looking the name up
            _check_addresses(what, addresses_of(_name(current)), allows_private=allows_private)
        opener = _opener(None if is_proxied else functools.partial(_check_peer, what, allows_private))
        request = urllib.request.Request(current, headers={"User-Agent": USER_AGENT, "Accept": "image/*, */*;q=0.5"})
        try:
            with opener.open(request, timeout=limits.timeout_s) as response:
                yield response
                return
        except urllib.error.HTTPError as error:
            with error:
                location = error.headers.get("Location")
                if error.code not in _REDIRECTS or not location:
                    raise
        current = urljoin(current, _escaped(location))
        if not hop and allows_private:
            # A private name that also leads to the internet may be redirected by anyone there.
            allows_private = leads_only_to_private(_name(url))
        scheme = urlsplit(current).scheme
        if scheme not in {"http", "https"}:
            raise RefusedError(f"{url} redirects to a {scheme} address, expected http or https")
    raise RefusedError(f"{url} redirects more than {MAX_REDIRECTS} times")


def _check_addresses(what: str, addresses: list[str], *, allows_private: bool) -> None:
    if reason := refusal(addresses, allows_private=allows_private):
        raise RefusedError(f"{what}, {reason}")


def _check_peer(what: str, allows_private: bool, connection: socket.socket) -> None:
    """A name may lead elsewhere than when it was looked up: whom it leads to now is what counts."""
    try:
        _check_addresses(what, [str(connection.getpeername()[0])], allows_private=allows_private)
    except RefusedError:
        connection.close()
        raise


def _check_answer(url: str, response: http.client.HTTPResponse, limits: Limits) -> None:
    kind = response.headers.get_content_type()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise RefusedError(f"{url} answered with a web page ({kind}), expected an image")
    if response.length is not None and response.length > limits.max_bytes:
        raise RefusedError(f"{url} has more than {limits.max_bytes / 1024**2:.0f} MB")


def _retry_after_s(headers: Any) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _escaped(url: str) -> str:
    """Addresses are often written with spaces or umlauts; what is escaped already stays."""
    return quote(url.strip(), safe="%/:=&?~#+!$,;'@()*[]")


def _name(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_proxied(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)


def _opener(check: PeerCheck | None) -> urllib.request.OpenerDirector:
    handlers: list[Any] = [_NoRedirects()]
    if check:
        handlers += [_CheckedHTTPHandler(check), _CheckedHTTPSHandler(check)]
    return urllib.request.build_opener(*handlers)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _checked(connection: http.client.HTTPConnection, check: PeerCheck) -> http.client.HTTPConnection:
    def connect(*arguments: Any, **named: Any) -> socket.socket:
        made = socket.create_connection(*arguments, **named)
        check(made)
        return made

    connection._create_connection = connect  # type: ignore[attr-defined]
    return connection


class _CheckedHTTPHandler(urllib.request.HTTPHandler):
    def __init__(self, check: PeerCheck) -> None:
        super().__init__()
        self._check = check

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **named: _checked(http.client.HTTPConnection(host, **named), self._check), req)


class _CheckedHTTPSHandler(urllib.request.HTTPSHandler):
    def __init__(self, check: PeerCheck) -> None:
        super().__init__()
        self._check = check

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        make = functools.partial(http.client.HTTPSConnection, context=ssl.create_default_context())
        return self.do_open(lambda host, **named: _checked(make(host, **named), self._check), req)
