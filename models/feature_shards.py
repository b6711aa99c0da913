"""Many arrays in few files: append-only shards, for more images than a file system likes to hold as files.

A shard is a row of records: a header with the image's hash, the length and two checksums, then the content of an .npy
file. Each writer appends to a shard of its own and syncs after each record, so only the last record of a shard can be
torn; a torn one is told by its checksums and does not count. Nothing is changed in place: removal is a record too, and
`prune` copies what is still wanted. A full shard gets an index beside it, which only saves reading all the headers.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.atomic_file import open_atomically
from models.feature_storage import Buffer, Entry, Pruned, Tier, npy_bytes
from models.shard_index import KIND_ARRAY, KIND_REMOVAL, Location, ShardIndex
from models.shard_records import (
    INDEX_SUFFIX,
    has_removals,
    list_shards,
    lock_shard,
    read_index,
    record_bytes,
    scan,
)
from models.shard_writer import ShardWriter

SHARD_BYTES = {Tier.PATCHES: 1 << 30, Tier.POOLED: 1 << 28}
"""A shard that would grow beyond this is closed and another one begun."""


class ShardStorage:
    """The shards of both tiers in one folder; see `models.feature_storage.Storage`."""

    def __init__(self, folder: Path, *, shard_bytes: dict[Tier, int] | None = None) -> None:
        self._tiers = {tier: _TierShards(folder, tier, (shard_bytes or SHARD_BYTES)[tier]) for tier in Tier}

    def has(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        return self._tiers[tier].find(content_hash) is not None

    def write(self, tier: Tier, content_hash: str, data: bytes) -> None:
        """As in `Storage`."""
        self._tiers[tier].replace(content_hash, data)

    def read(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`."""
        buffer, location = self._tiers[tier].map(content_hash)
        content = np.array(buffer)
        _check(content, location)
        return content

    def map(self, tier: Tier, content_hash: str) -> Buffer:
        """As in `Storage`."""
        return self._tiers[tier].map(content_hash)[0]

    def read_many(self, tier: Tier, content_hashes: Sequence[str]) -> Iterator[tuple[str, Buffer | None]]:
        """As in `Storage`."""
        shards = self._tiers[tier]
        found = [(content_hash, shards.find(content_hash)) for content_hash in content_hashes]
        yield from ((content_hash, None) for content_hash, location in found if location is None)
        present = [(location, content_hash) for content_hash, location in found if location is not None]
        for location, content_hash in sorted(present):
            content = shards.map_at(location)
            _check(content, location)
            yield content_hash, content

    def entries(self) -> Iterator[Entry]:
        """As in `Storage`."""
        for tier, shards in self._tiers.items():
            for content_hash, location in shards.all():
                yield Entry(tier, content_hash, record_bytes(location.length))

    def remove(self, tier: Tier, content_hash: str) -> bool:
        """As in `Storage`."""
        return self._tiers[tier].remove(content_hash)

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool) -> Pruned:
        """As in `Storage`.

        Raises:
            FeatureMismatchError: another process has a shard open for writing.
        """
        return sum((shards.prune(keep, dry=dry) for shards in self._tiers.values()), Pruned())

    def place(self, tier: Tier, content_hash: str) -> str:
        """As in `Storage`."""
        location = self._tiers[tier].find(content_hash)
        return f"{content_hash} in {location.shard}" if location else content_hash

    def close(self) -> None:
        """As in `Storage`."""
        for shards in self._tiers.values():
            shards.close()


class _TierShards:
    """The shards of one tier: finding, mapping, appending."""

    def __init__(self, folder: Path, tier: Tier, shard_bytes: int) -> None:
        self._folder = folder
        self._tier = tier
        self._shard_bytes = shard_bytes
        self._index = ShardIndex()
        self._scanned: dict[str, int] = {}
        """Up to where each shard has been read."""
        self._sealed: set[str] = set()
        self._maps: dict[str, Buffer] = {}
        self._writer: ShardWriter | None = None
        self._lock = threading.RLock()

    def find(self, content_hash: str) -> Location | None:
        """Where the array lies, newly written ones of other processes included."""
        with self._lock:
            found = self._index.find(content_hash)
            if found is None:
                self._refresh()
                found = self._index.find(content_hash)
            return found

    def map(self, content_hash: str) -> tuple[Buffer, Location]:
        with self._lock:
            for _ in range(2):
                location = self.find(content_hash)
                if location is None:
                    break
                try:
                    return self.map_at(location), location
                except FileNotFoundError:  # another process has moved its records to another shard
                    self._forget()
            raise FileNotFoundError(content_hash)

    def map_at(self, location: Location) -> Buffer:
        with self._lock:
            end = location.offset + location.length
            mapped = self._maps.get(location.shard)
            if mapped is None or len(mapped) < end:
                mapped = np.memmap(self._folder / location.shard, np.uint8, "r")
                self._maps[location.shard] = mapped
            # A plain array over the same memory: a memmap copies its attributes with every slice.
            return np.asarray(mapped)[location.offset : end]

    def all(self) -> Iterator[tuple[str, Location]]:
        with self._lock:
            self._refresh()
            return iter(list(self._index.all()))

    def replace(self, content_hash: str, data: bytes) -> None:
        with self._lock:
            self._refresh()
            earlier = list(self._index.find_all(content_hash))
            self._append(KIND_ARRAY, content_hash, data)
            for location in earlier:
                self._append(KIND_REMOVAL, content_hash, _target(location))

    def remove(self, content_hash: str) -> bool:
        with self._lock:
            removed = False
            while (location := self.find(content_hash)) is not None:
                self._append(KIND_REMOVAL, content_hash, _target(location))
                removed = True
            return removed

    def _append(self, kind: int, content_hash: str, data: bytes) -> None:
        size = record_bytes(len(data))
        writer = self._writer
        # After a fork both processes would append to one file.
        if writer is None or writer.pid != os.getpid() or writer.size + size > self._shard_bytes:
            self.close()
            writer = self._writer = ShardWriter(self._folder, self._tier)
            self._scanned[writer.name] = 0
        try:
            location = writer.append(kind, content_hash, data)
        except OSError:
            # What was written of the record stays behind as a torn tail: nothing may follow it.
            self._writer = None
            writer.close()
            raise
        if kind == KIND_REMOVAL:
            self._index.kill(_target_of(data))
        else:
            self._index.add(content_hash, location)
        self._scanned[writer.name] = writer.size

    def close(self) -> None:
        """Nothing more goes into the shard that is written now."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is None:
                return
            try:
                if writer.pid == os.getpid():
                    self._seal(writer)
            finally:
                writer.close()

    def _seal(self, writer: ShardWriter) -> None:
        entries, end = scan(self._folder / writer.name, 0)
        if end == writer.size:
            with open_atomically(self._folder / (writer.name + INDEX_SUFFIX)) as stream:
                stream.write(npy_bytes(entries))
        self._sealed.add(writer.name)

    def _refresh(self) -> None:
        """Take note of what other processes have written."""
        present = list_shards(self._folder, self._tier)
        if any(name not in present for name in self._scanned):
            self._forget()
        for name in sorted(present):
            known = self._scanned.get(name, 0)
            if name in self._sealed or present[name] == known:
                continue
            entries, end = None, known
            if known == 0:
                entries, end = read_index(self._folder / name, present[name])
                if entries is not None:
                    self._sealed.add(name)
            if entries is None:
                entries, end = scan(self._folder / name, known)
            self._take(name, entries)
            self._scanned[name] = end

    def _take(self, name: str, entries: npt.NDArray[np.void]) -> None:
        self._index.add_many(name, entries[entries["kind"] == KIND_ARRAY])
        for entry in entries[entries["kind"] == KIND_REMOVAL]:
            location = Location(name, int(entry["offset"]), int(entry["length"]), int(entry["checksum"]))
            self._index.kill(_target_of(self.map_at(location).tobytes()))

    def _forget(self) -> None:
        self._index = ShardIndex()
        self._scanned, self._maps = {}, {}
        self._sealed = set()

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool) -> Pruned:
        with self._lock:
            self.close()
            self._forget()
            self._refresh()
            wanted: dict[str, list[tuple[str, Location]]] = {name: [] for name in self._scanned}
            arrays = 0
            for content_hash, location in self._index.all():
                if keep(Entry(self._tier, content_hash, record_bytes(location.length))):
                    wanted[location.shard].append((content_hash, location))
                else:
                    arrays += 1
            sizes = list_shards(self._folder, self._tier)
            kept = {
                name: sum(record_bytes(location.length) for _, location in records) for name, records in wanted.items()
            }
            rewritten = [name for name in wanted if kept[name] != sizes[name]]
            torn = sum(self._scanned[name] != sizes[name] for name in wanted)
            freed = sum(sizes[name] - kept[name] for name in rewritten)
            if not dry and rewritten:
                self._rewrite(rewritten, wanted)
            return Pruned(arrays, torn, freed)

    def _rewrite(self, names: Sequence[str], wanted: dict[str, list[tuple[str, Location]]]) -> None:
        """Copy the wanted records of these shards, then remove the shards."""
        locks = [lock_shard(self._folder / name) for name in names]
        try:
            for name in names:
                for content_hash, location in wanted[name]:
                    content = self.map_at(location)
                    try:
                        _check(content, location)
                    except ValueError:
                        continue  # what is damaged is not worth keeping
                    self._append(KIND_ARRAY, content_hash, content.tobytes())
            # A shard that tells of removals goes last: a removed record must not come back if we are killed here.
            for name in sorted(names, key=lambda name: has_removals(self._folder / name)):
                (self._folder / name).unlink()
                (self._folder / (name + INDEX_SUFFIX)).unlink(missing_ok=True)
        finally:
            for lock in locks:
                os.close(lock)
        self.close()
        self._forget()


def _check(content: Buffer, location: Location) -> None:
    found = zlib.crc32(content.data)
    if found != location.checksum:
        raise ValueError(f"checksum {found:08x}, expected {location.checksum:08x}")


def _target(location: Location) -> bytes:
    return f"{location.shard}:{location.offset}".encode()


def _target_of(data: bytes) -> tuple[str, int]:
    shard, _, offset = data.decode().rpartition(":")
    return shard, int(offset)
