"""One file from the web: redirects followed by hand, private networks only where the list names them, all bounded."""

from __future__ import annotations

import email.utils
import functools
import http.client
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

USER_AGENT = "fewclick"
MAX_REDIRECTS = 5
PeerCheck = Callable[[socket.socket], None]
"""Raises `RefusedError` for a connection that is not to be used."""
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING_CODES = {408, 425, 429, 500, 502, 503, 504}
"""Answers that another try may turn into a better one."""
_METADATA_ADDRESSES = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Where clouds tell a machine its secrets, besides the link-local addresses: Alibaba, Azure, Oracle, AWS, Google."""
_PRIVATE_ENDINGS = (
    ".localhost",
    ".local",
    ".lan",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".private",
    ".corp",
)
"""Of names that are no names of the public internet."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
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


def is_private(address: str) -> bool:
    """Whether an IP address is not one of the public internet's."""
    ip = _parse(address)
    return not ip.is_global or ip.is_multicast


def is_forbidden(address: str) -> bool:
    """Whether an IP address is link-local or one of cloud metadata: no list has a reason to name it."""
    ip = _parse(address)
    return ip.is_link_local or ip in _METADATA_ADDRESSES


def is_private_host(host: str) -> bool:
    """Whether a name or address leads, among others, to a private address; one that leads nowhere does not."""
    return any(map(is_private, _addresses(host)))


def is_private_name(host: str) -> bool:
    """Whether a host is private by what it is called, wherever it leads: an address, or no name of the internet."""
    try:
        return is_private(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that is reached in the end: IPv6 can carry one of IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        return inner or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip)
    return ip


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
            _check_addresses(what, _addresses(_name(current)), allows_private=allows_private)
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
            allows_private = all(map(is_private, _addresses(_name(url))))
        scheme = urlsplit(current).scheme
        if scheme not in {"http", "https"}:
            raise RefusedError(f"{url} redirects to a {scheme} address, expected http or https")
    raise RefusedError(f"{url} redirects more than {MAX_REDIRECTS} times")


def _check_addresses(what: str, addresses: Iterable[str], *, allows_private: bool) -> None:
    for address in addresses:
        if is_forbidden(address):
            raise RefusedError(f"{what}, a link-local address or one of cloud metadata ({address}): never fetched")
        if not allows_private and is_private(address):
            raise RefusedError(
                f"{what}, an address of a private network ({address}): list that address itself if it is meant"
            )


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
