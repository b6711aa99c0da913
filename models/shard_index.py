"""Where each array lies among shards, in little memory: a sorted NumPy table, and a dictionary of what came since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

KIND_ARRAY, KIND_REMOVAL = 0, 1
ENTRY = np.dtype([("key", "S64"), ("kind", "u1"), ("offset", "<i8"), ("length", "<i8"), ("checksum", "<u4")])
"""A record of a shard: `offset` and `length` are those of its content."""
_ROW = np.dtype([*ENTRY.descr, ("shard", "<i4")])
MERGE_AT = 20_000
"""Entries outside the table at which they are sorted into it."""


class Location(NamedTuple):
    """Where the content of a record lies."""

    shard: str
    offset: int
    length: int
    checksum: int


class ShardIndex:
    """Finds the record of an image; of several equal ones, any that was not removed."""

    def __init__(self) -> None:
        self._shards: list[str] = []
        self._table = np.zeros(0, dtype=_ROW)
        self._recent: dict[str, list[Location]] = {}
        self._dead: set[tuple[str, int]] = set()

    def add(self, content_hash: str, location: Location) -> None:
        """Take note of one record."""
        self._recent.setdefault(content_hash, []).insert(0, location)
        if len(self._recent) > MERGE_AT:
            self._merge()

    def add_many(self, shard: str, entries: npt.NDArray[np.void]) -> None:
        """Take note of the records (N,) of a shard, as `ENTRY`."""
        if len(entries) < MERGE_AT:
            for entry in entries:
                location = Location(shard, int(entry["offset"]), int(entry["length"]), int(entry["checksum"]))
                self.add(entry["key"].decode(), location)
            return
        self._table = self._sorted([self._table, self._rows(shard, entries)])

    def kill(self, target: tuple[str, int]) -> None:
        """Forget the record at this shard and offset, also if it is told of only later."""
        self._dead.add(target)

    def find(self, content_hash: str) -> Location | None:
        """The record of an image; None if there is none."""
        return next(self.find_all(content_hash), None)

    def find_all(self, content_hash: str) -> Iterator[Location]:
        """Every record of an image: two, if two processes made its features at the same time."""
        yield from (location for location in self._recent.get(content_hash, ()) if self._is_alive(location))
        key = content_hash.encode()
        position = int(np.searchsorted(self._table["key"], key))
        while position < len(self._table) and self._table["key"][position] == key:
            location = self._location(self._table[position])
            if self._is_alive(location):
                yield location
            position += 1

    def all(self) -> Iterator[tuple[str, Location]]:
        """Each image once, with its record."""
        self._merge()
        last = b""
        for row in self._table:
            location = self._location(row)
            if row["key"] != last and self._is_alive(location):
                last = row["key"]
                yield last.decode(), location

    def _is_alive(self, location: Location) -> bool:
        return (location.shard, location.offset) not in self._dead

    def _merge(self) -> None:
        rows = []
        for content_hash, locations in self._recent.items():
            for at in locations:
                number = self._number(at.shard)
                rows.append((content_hash.encode(), KIND_ARRAY, at.offset, at.length, at.checksum, number))
        self._recent = {}
        self._table = self._sorted([self._table, np.array(rows, dtype=_ROW)])

    def _rows(self, shard: str, entries: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        rows = np.zeros(len(entries), dtype=_ROW)
        for name in ENTRY.names or ():
            rows[name] = entries[name]
        rows["shard"] = self._number(shard)
        return rows

    @staticmethod
    def _sorted(parts: list[npt.NDArray[np.void]]) -> npt.NDArray[np.void]:
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["key"], kind="stable")]

    def _number(self, shard: str) -> int:
        # The newest shard is asked for most often, and stands last.
        if not self._shards or self._shards[-1] != shard:
            if shard in self._shards:
                return self._shards.index(shard)
            self._shards.append(shard)
        return len(self._shards) - 1

    def _location(self, row: np.void) -> Location:
        shard = self._shards[int(row["shard"])]
        return Location(shard, int(row["offset"]), int(row["length"]), int(row["checksum"]))
