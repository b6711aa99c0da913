"""The port that a server listens on: had before anything is started, so that what is wrong with it is said at once."""

from __future__ import annotations

import errno
import socket

from db.errors import InvalidInputError

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket on this machine; port 0 takes a free one.

    Raises:
        InvalidInputError: the host is not this machine's own, or the port cannot be had.
    """
    if host not in LOCAL_HOSTS:
        raise InvalidInputError(
            f"host {host}: Fewclick has no login, so it listens on this machine only ({', '.join(LOCAL_HOSTS)}). "
            "From another machine, forward the port: `ssh -L 8000:127.0.0.1:8000 THIS_MACHINE`"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InvalidInputError(_why_no_port(host, port, error)) from error
    listener.listen(128)
    return listener


def address_of(listener: socket.socket) -> str:
    """Base URL without a trailing slash."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_no_port(host: str, port: int, error: OSError) -> str:
    remedy = "choose another with --port N, or --port 0 for any free one (make: PORT=N)"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program: stop that program, or {remedy}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} on {host} is reserved for the system: {remedy}"
    return f"port {port} on {host} cannot be opened ({error.strerror}): {remedy}"
