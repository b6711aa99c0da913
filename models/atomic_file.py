"""Files that are complete or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SHOWN_NAME_LENGTH = 40
"""Characters of the name that a temporary name repeats: with the whole of a long name it would be too long."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: OSError) -> bool:
    """Whether the disk, or the person's share of it, had no room left."""
    return error.errno in _FULL


@contextmanager
def open_atomically(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A stream under a temporary name beside `path`, renamed on leaving: readers see the old file or the new one.

    An error inside removes the temporary file and leaves `path` as it was.

    Args:
        durable: fsync file and folder, so that a database row may refer to it after a power cut. Needless for what
            can be made again at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:SHOWN_NAME_LENGTH]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """All of a file at once; see `open_atomically`."""
    with open_atomically(path, durable=durable) as stream:
        stream.write(data)
