"""Threads that take a share of a prediction somebody waits for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

MOST_THREADS = 4
"""With the caller's. A prediction is a few milliseconds of work: more would wait for each other."""


class Helpers:
    """One thread less than there are processors, at most; they start with the first work."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: with the caller's; left out, as many as are of use here."""
        self._n_threads = threads or min(MOST_THREADS, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(max(1, self._n_threads - 1), thread_name_prefix="predict")

    def share(self, work: Callable[[Iterator[int]], None], items: Iterator[int]) -> None:
        """Run `work` on all threads at once; each takes the next item when it is done with one.

        Args:
            items: Safe to be taken from by several threads, as the iterators of ranges and lists are.

        Raises:
            Exception: of `work`, the caller's before that of another thread, once no thread is at work any more.
        """
        others = [self._pool.submit(work, items) for _ in range(self._n_threads - 1)]
        try:
            work(items)
        finally:
            # One that has not begun would find nothing left. The others are at work on what the caller may let go of.
            begun = [other for other in others if not other.cancel()]
            wait(begun)
        for other in begun:
            other.result()
