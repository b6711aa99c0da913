"""Where the bytes of features lie: one interface, and its plainest form, a folder with one file for each array.

An array is addressed by its tier and by the hash of the image; what a storage returns for it is the whole content of an
.npy file. Shards stand in models/feature_shards.py, object storage in models/feature_objects.py.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.atomic_file import open_atomically

Buffer = npt.NDArray[np.uint8]
MAX_HEADER_BYTES = 4096
LEFTOVER_AGE_S = 3600.0
"""A temporary file that is older was left by a process that was killed."""


class Tier(StrEnum):
    """Which array of an image."""

    PATCHES = "patches"
    POOLED = "pooled"


class StorageKind(StrEnum):
    """What `features_storage` of the YAML file and the manifest name."""

    FILES = "files"
    """A file for each array."""
    SHARDS = "shards"
    """Many arrays in one file, for more images than a file system likes to hold as files."""


@dataclass(frozen=True)
class Entry:
    """An array that a storage holds."""

    tier: Tier
    content_hash: str
    size: int
    """Bytes that it takes."""


class Storage(Protocol):
    """Holds arrays, each complete or not there, however the process that wrote it ended."""

    def has(self, tier: Tier, content_hash: str) -> bool:
        """Whether the array is there."""
        ...

    def write(self, tier: Tier, content_hash: str, data: bytes) -> None:
        """Store durably; what was there under the same address is replaced."""
        ...

    def read(self, tier: Tier, content_hash: str) -> Buffer:
        """All bytes, in memory.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: its checksum is wrong, where the storage keeps one.
        """
        ...

    def map(self, tier: Tier, content_hash: str) -> Buffer:
        """The bytes, of which only those that are touched are read; errors as in `read`, without the checksum."""
        ...

    def read_many(self, tier: Tier, content_hashes: Sequence[str]) -> Iterator[tuple[str, Buffer | None]]:
        """All of these, each once, in the order that is fastest to read; None for what is not there."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All arrays, in no order."""
        ...

    def remove(self, tier: Tier, content_hash: str) -> bool:
        """Forget an array; False if it was not there."""
        ...

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool) -> Pruned:
        """Remove what `keep` refuses, and what killed processes left behind; `dry` only counts.

        Nobody may write meanwhile.
        """
        ...

    def place(self, tier: Tier, content_hash: str) -> str:
        """Where the array is, for a message: relative to the storage."""
        ...

    def close(self) -> None:
        """Finish what is being appended to and free its files."""
        ...


@dataclass(frozen=True)
class Pruned:
    """What `prune` removed, or would remove."""

    arrays: int = 0
    leftovers: int = 0
    """Temporary files, and records cut off in the middle."""
    freed_bytes: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            self.arrays + other.arrays, self.leftovers + other.leftovers, self.freed_bytes + other.freed_bytes
        )


SUFFIXES = {Tier.PATCHES: ".npy", Tier.POOLED: ".pooled.npy"}


def file_name(tier: Tier, content_hash: str) -> str:
    """`<first two digits>/<hash>.npy`, or `.pooled.npy`."""
    return f"{content_hash[:2]}/{content_hash}{SUFFIXES[tier]}"


def parse_file_name(name: str) -> tuple[Tier, str] | None:
    """Tier and hash of the last part of a `file_name`; None if it is no such name."""
    for tier in (Tier.POOLED, Tier.PATCHES):
        content_hash = name.removesuffix(SUFFIXES[tier])
        if content_hash != name and "." not in content_hash:
            return tier, content_hash
    return None


class FolderStorage:
    """A file for each array, written under a temporary name, synced and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, tier: Tier, content_hash: str) -> Path:
        """The file of an array."""
        return self.folder / file_name(tier, content_hash)

    def has(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        return self.path(tier, content_hash).is_file()

    def write(self, tier: Tier, content_hash: str, data: bytes) -> None:
        """As in `Storage`."""
        with open_atomically(self.path(tier, content_hash)) as stream:
            stream.write(data)

    def read(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`."""
        return np.fromfile(self.path(tier, content_hash), np.uint8)

    def map(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`."""
        return np.memmap(self.path(tier, content_hash), np.uint8, "r")

    def read_many(self, tier: Tier, content_hashes: Sequence[str]) -> Iterator[tuple[str, Buffer | None]]:
        """As in `Storage`."""
        for content_hash in content_hashes:
            try:
                yield content_hash, np.frombuffer(self.path(tier, content_hash).read_bytes(), np.uint8)
            except FileNotFoundError:
                yield content_hash, None

    def entries(self) -> Iterator[Entry]:
        """As in `Storage`."""
        for path, size in self._files():
            found = parse_file_name(path.name)
            if found is not None:
                yield Entry(*found, size)

    def remove(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        try:
            self.path(tier, content_hash).unlink()
        except FileNotFoundError:
            return False
        return True

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool) -> Pruned:
        """As in `Storage`."""
        arrays = leftovers = freed = 0
        for path, size in list(self._files()):
            found = parse_file_name(path.name)
            if found is not None and not keep(Entry(*found, size)):
                arrays += 1
            elif is_leftover(path):
                leftovers += 1
            else:
                continue
            freed += size
            if not dry:
                path.unlink(missing_ok=True)
        return Pruned(arrays, leftovers, freed)

    def place(self, tier: Tier, content_hash: str) -> str:
        """As in `Storage`."""
        return file_name(tier, content_hash)

    def close(self) -> None:
        """As in `Storage`: nothing stays open."""

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Files in the folders of two digits, and their sizes."""
        for folder in folders_in(self.folder):
            if len(folder.name) != 2:
                continue
            with os.scandir(folder) as found:
                for entry in found:
                    if entry.is_file(follow_symlinks=False):
                        yield Path(entry.path), entry.stat(follow_symlinks=False).st_size


def folders_in(folder: Path) -> list[Path]:
    """The folders right inside, sorted; none if it does not exist."""
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def is_leftover(path: Path) -> bool:
    """Whether it is a temporary file of `open_atomically` that nobody writes any more."""
    if not (path.name.startswith(".") and path.suffix == ".tmp"):
        return False
    try:
        return time.time() - path.stat().st_mtime > LEFTOVER_AGE_S
    except FileNotFoundError:
        return False


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """The array as the content of an .npy file, never pickled."""
    header = io.BytesIO()
    # A scalar record must not become one of one axis.
    contiguous = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(contiguous))
    return header.getvalue() + contiguous.tobytes()


def array_of(buffer: Buffer) -> npt.NDArray[Any]:
    """The array in the content of an .npy file, as a view; inverse of `npy_bytes`.

    Raises:
        ValueError: it is cut off, goes on after its end, or is no plain .npy file.
    """
    start = bytes(buffer[:10])
    end = len(start) + int.from_bytes(start[8:10], "little")
    shape, dtype = _read_header(bytes(buffer[: min(end, MAX_HEADER_BYTES)]))
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    data = buffer[end:]
    if len(data) != size:
        raise ValueError(f"it is cut off, or no .npy file: {len(data):,} bytes of data, expected {size:,}")
    return data.view(dtype).reshape(shape)


@lru_cache(maxsize=64)
def _read_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type. Kept: a session has few different headers, and parsing one takes longer than reading a file."""
    stream = io.BytesIO(header)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("it is an .npy file of another version")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    except (EOFError, UnicodeDecodeError, SyntaxError, TypeError, KeyError) as error:
        raise ValueError("it is cut off, or no .npy file") from error
    if dtype.hasobject or fortran_order:
        raise ValueError("it holds no plain array")
    return shape, dtype


def count_bytes(entries: Iterable[Entry]) -> dict[Tier, tuple[int, int]]:
    """Number and bytes of the arrays of each tier."""
    counted = dict.fromkeys(Tier, (0, 0))
    for entry in entries:
        number, size = counted[entry.tier]
        counted[entry.tier] = number + 1, size + entry.size
    return counted
