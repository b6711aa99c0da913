"""Fits in a thread of their own, given up where a click needs the processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ml_service.heads.softmax_fit import FitAbandonedError
from ml_service.low_priority import give_way

Result = TypeVar("Result")
GiveUp = Callable[[], bool]


class BesideClicks:
    """One fit at a time. Use from one thread; `close` lets go of its own."""

    def __init__(self, name: str) -> None:
        """`name` of the thread."""
        # Small fits hold the interpreter's lock for much of their time, but no longer than a step once a click came.
        self._helper = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=give_way)
        self._is_interrupted = threading.Event()

    def interrupt(self) -> None:
        """Give up the fit that is at work; it begins again when it is waited for again."""
        self._is_interrupted.set()

    def run(self, fit: Callable[[GiveUp], Result]) -> Generator[bool, None, Result]:
        """Yields while `fit` is at work; returns what it does.

        Closing the generator gives it up.

        Args:
            fit: Gets what to ask whether to give up; where that says so it may raise `FitAbandonedError`.
        """
        while True:
            is_unwanted = threading.Event()
            self._is_interrupted.clear()
            future = self._helper.submit(fit, self._either(is_unwanted))
            try:
                while not future.done():
                    yield False
                return future.result()
            except FitAbandonedError:
                yield False
            finally:
                is_unwanted.set()

    def close(self) -> None:
        """Give up, and let go of the thread without waiting for it."""
        self._is_interrupted.set()
        self._helper.shutdown(wait=False, cancel_futures=True)

    def _either(self, is_unwanted: threading.Event) -> GiveUp:
        return lambda: is_unwanted.is_set() or self._is_interrupted.is_set()
