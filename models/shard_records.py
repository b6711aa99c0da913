"""Records of a shard: a header with hash, length and two checksums, then the content of an .npy file."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.errors import FeatureMismatchError
from models.shard_index import ENTRY, KIND_REMOVAL

SHARD_SUFFIX, INDEX_SUFFIX = ".shard", ".index.npy"
MAGIC = b"FWC1"
HEADER = struct.Struct("<4sIIIQ64s")
"""Magic, checksum of what follows in the header, kind, checksum of the content, length of the content, hash."""
HEADER_BYTES = 128
ALIGNMENT = 64
KEY_BYTES = 64


class Record(NamedTuple):
    """What a header says."""

    kind: int
    content_hash: bytes
    length: int
    checksum: int


def record_bytes(length: int) -> int:
    """What a record of that many bytes of content takes in its shard."""
    return HEADER_BYTES + length + -length % ALIGNMENT


def header_of(kind: int, content_hash: str, data: bytes, checksum: int) -> bytes:
    """The header of a record with that content.

    Raises:
        ValueError: the hash has no place in it.
    """
    key = content_hash.encode("ascii")
    if not 0 < len(key) <= KEY_BYTES:
        raise ValueError(f"a shard keeps hashes of 1 to {KEY_BYTES} characters, found {content_hash!r}")
    fields = (kind, checksum, len(data), key)
    # Twice, since the checksum covers all that follows it.
    body = HEADER.pack(MAGIC, 0, *fields)[8:]
    return HEADER.pack(MAGIC, zlib.crc32(body), *fields).ljust(HEADER_BYTES, b"\0")


def _parse_header(header: bytes) -> Record | None:
    if len(header) < HEADER_BYTES:
        return None
    magic, own_checksum, kind, checksum, length, key = HEADER.unpack(header[: HEADER.size])
    if magic != MAGIC or zlib.crc32(header[8 : HEADER.size]) != own_checksum:
        return None
    return Record(kind, key.rstrip(b"\0"), length, checksum)


def scan(path: Path, start: int) -> tuple[npt.NDArray[np.void], int]:
    """The whole records from `start` on, and where the last of them ends."""
    found: list[tuple[bytes, int, int, int, int]] = []
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size, position = os.fstat(descriptor).st_size, start
        while True:
            record = _parse_header(os.pread(descriptor, HEADER_BYTES, position))
            if record is None or position + record_bytes(record.length) > size:
                break
            found.append((record.content_hash, record.kind, position + HEADER_BYTES, record.length, record.checksum))
            position += record_bytes(record.length)
        # All but the last were synced before the next was begun.
        if found and zlib.crc32(os.pread(descriptor, found[-1][3], found[-1][2])) != found[-1][4]:
            position = found.pop()[2] - HEADER_BYTES
    finally:
        os.close(descriptor)
    return np.array(found, dtype=ENTRY), position


def read_index(shard: Path, size: int) -> tuple[npt.NDArray[np.void] | None, int]:
    """The index beside a full shard and the end of its last record; None if there is none that fits the shard."""
    try:
        entries: npt.NDArray[Any] = np.load(shard.with_name(shard.name + INDEX_SUFFIX), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None, 0
    if entries.dtype != ENTRY or len(entries) == 0:
        return None, 0
    end = int(entries["offset"][-1]) - HEADER_BYTES + record_bytes(int(entries["length"][-1]))
    return (entries, end) if end == size else (None, 0)


def list_shards(folder: Path, prefix: str) -> dict[str, int]:
    """Name and size of each shard."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as found:
        return {
            entry.name: entry.stat().st_size
            for entry in found
            if entry.name.startswith(f"{prefix}-") and entry.name.endswith(SHARD_SUFFIX)
        }


def lock_shard(path: Path) -> int:
    """Keep others from appending until the descriptor is closed.

    Raises:
        FeatureMismatchError: somebody has it open for that.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FeatureMismatchError(f"{path.name} is being written by another process: wait for its end") from error
    return descriptor


def has_removals(path: Path) -> bool:
    """Whether it tells of arrays that were removed."""
    return bool((scan(path, 0)[0]["kind"] == KIND_REMOVAL).any())
