"""A small cache bounded by the size of what it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Keeps what was used last, up to a total size; safe to use from many threads."""

    def __init__(self, capacity: int, size_of: Callable[[V], int]) -> None:
        self._capacity = capacity
        self._size_of = size_of
        self._items: OrderedDict[K, V] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value; the ones used longest ago go. One larger than the whole cache is not kept."""
        if self._size_of(value) > self._capacity:
            return
        with self._lock:
            old = self._items.pop(key, None)
            self._size += self._size_of(value) - (self._size_of(old) if old is not None else 0)
            self._items[key] = value
            while self._size > self._capacity and self._items:
                self._size -= self._size_of(self._items.popitem(last=False)[1])
