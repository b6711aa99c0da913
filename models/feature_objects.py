"""Features in object storage, through fsspec: one object for each array, and a local copy of what was read.

An object store shows an object whole or not at all, so that nothing more is needed for safety. Imports fsspec only when
a storage is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.atomic_file import open_atomically
from models.errors import FeatureMismatchError
from models.feature_storage import (
    Buffer,
    Entry,
    FolderStorage,
    Pruned,
    Tier,
    file_name,
    parse_file_name,
)

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BATCH = 256
"""Objects that are fetched at the same time."""
CACHE_BYTES = 20_000_000_000
"""Of local copies; those unused for longest give way."""


def open_url(url: str) -> tuple[AbstractFileSystem, str]:
    """File system and path that a URL names.

    Raises:
        FeatureMismatchError: fsspec, or its part for this kind of URL, is not installed; says what to install.
    """
    try:
        import fsspec
    except ImportError as error:
        raise FeatureMismatchError(
            f"features_dir: {url} needs fsspec: pip install 'fewclick[object-storage]'"
        ) from error
    try:
        filesystem, path = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FeatureMismatchError(f"features_dir: {url} cannot be opened: {' '.join(str(error).split())}") from error
    return filesystem, path


class ObjectStorage:
    """Objects under a URL such as s3://bucket/prefix; what was read lies in `cache_dir`, so that it can be mapped."""

    def __init__(self, url: str, cache_dir: Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._url = url.rstrip("/")
        self._filesystem, self._root = open_url(self._url)
        self._cache = FolderStorage(cache_dir)
        self._cache_bytes = cache_bytes
        self._cached_bytes: int | None = None

    def has(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        return bool(self._filesystem.exists(self._object(tier, content_hash)))

    def write(self, tier: Tier, content_hash: str, data: bytes) -> None:
        """As in `Storage`."""
        path = self._object(tier, content_hash)
        self._filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self._filesystem.pipe_file(path, data)
        self._cache.remove(tier, content_hash)

    def read(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`."""
        try:
            found = self._cache.read(tier, content_hash)
            os.utime(self._cache.path(tier, content_hash))
        except FileNotFoundError:
            data = self._filesystem.cat_file(self._object(tier, content_hash))
            self._keep(tier, content_hash, data)
            return np.frombuffer(data, np.uint8)
        return found

    def map(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`; the first time, all of it is fetched."""
        try:
            return self._cache.map(tier, content_hash)
        except FileNotFoundError:
            return self.read(tier, content_hash)

    def read_many(self, tier: Tier, content_hashes: Sequence[str]) -> Iterator[tuple[str, Buffer | None]]:
        """As in `Storage`; many are fetched at the same time, and no local copy is kept."""
        for start in range(0, len(content_hashes), BATCH):
            batch = content_hashes[start : start + BATCH]
            names = {content_hash: self._object(tier, content_hash) for content_hash in batch}
            found: dict[str, Any] = self._filesystem.cat(list(names.values()), on_error="return")
            for content_hash, name in names.items():
                data = found.get(name)
                if isinstance(data, bytes):
                    yield content_hash, np.frombuffer(data, np.uint8)
                elif data is None or isinstance(data, FileNotFoundError):
                    yield content_hash, None
                else:
                    raise data

    def entries(self) -> Iterator[Entry]:
        """As in `Storage`."""
        for path, facts in self._filesystem.find(self._root, detail=True).items():
            found = parse_file_name(path.rsplit("/", 1)[-1])
            if found is not None:
                yield Entry(*found, int(facts["size"]))

    def remove(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        self._cache.remove(tier, content_hash)
        if not self.has(tier, content_hash):
            return False
        self._filesystem.rm_file(self._object(tier, content_hash))
        return True

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool) -> Pruned:
        """As in `Storage`; local copies go with their objects."""
        refused = [entry for entry in self.entries() if not keep(entry)]
        if not dry:
            for entry in refused:
                self.remove(entry.tier, entry.content_hash)
        return Pruned(len(refused), 0, sum(entry.size for entry in refused))

    def place(self, tier: Tier, content_hash: str) -> str:
        """As in `Storage`."""
        return f"{self._url}/{file_name(tier, content_hash)}"

    def close(self) -> None:
        """As in `Storage`: nothing stays open."""

    def _object(self, tier: Tier, content_hash: str) -> str:
        return f"{self._root}/{file_name(tier, content_hash)}"

    def _keep(self, tier: Tier, content_hash: str, data: bytes) -> None:
        if self._cached_bytes is None:
            self._cached_bytes = sum(entry.size for entry in self._cache.entries())
        if self._cached_bytes + len(data) > self._cache_bytes:
            self._make_room(self._cache_bytes // 2)
        with open_atomically(self._cache.path(tier, content_hash)) as stream:
            stream.write(data)
        self._cached_bytes += len(data)

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove copies, oldest first, until no more than `wanted_bytes` are left."""
        files = []
        for entry in self._cache.entries():
            path = self._cache.path(entry.tier, entry.content_hash)
            try:
                files.append((path.stat().st_mtime_ns, entry.size, path))
            except FileNotFoundError:
                continue  # another process makes room too
        left = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if left <= wanted_bytes:
                break
            path.unlink(missing_ok=True)
            left -= size
        self._cached_bytes = left
