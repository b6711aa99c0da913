"""Appends records to a shard of its own."""

from __future__ import annotations

import fcntl
import os
import uuid
import weakref
import zlib
from pathlib import Path

from models.shard_index import Location
from models.shard_records import ALIGNMENT, HEADER_BYTES, SHARD_SUFFIX, header_of, record_bytes


class ShardWriter:
    """Appends to a shard that nobody else appends to; the lock tells others that it is in use."""

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{prefix}-{uuid.uuid4().hex[:16]}{SHARD_SUFFIX}"
        self.size = 0
        self.pid = os.getpid()
        self._descriptor = os.open(folder / self.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        # Also for a storage that is dropped without being closed.
        self._close = weakref.finalize(self, os.close, self._descriptor)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def append(self, kind: int, content_hash: str, data: bytes) -> Location:
        """Write a record and wait until it is on the disk."""
        checksum = zlib.crc32(data)
        left = memoryview(header_of(kind, content_hash, data, checksum) + data + bytes(-len(data) % ALIGNMENT))
        while left:
            left = left[os.write(self._descriptor, left) :]
        os.fsync(self._descriptor)
        location = Location(self.name, self.size + HEADER_BYTES, len(data), checksum)
        self.size += record_bytes(len(data))
        return location

    def close(self) -> None:
        """Nothing more will be appended."""
        self._close()
