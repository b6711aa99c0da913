"""Independent pieces of work on all cores, each on one: for networks whose layers are too small to be shared.

A layer that two threads share ends when the slower one does; where another program holds a core, both wait. And what
torch computes differs in the last bits with the number of threads. One thread a piece is faster and always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def run_apart(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """The results in order; as many at once as torch may use threads in the caller's thread."""
    workers = min(torch.get_num_threads(), len(pieces))
    # Even one piece goes to a thread of its own, because the number of threads of the caller's must stay.
    with ThreadPoolExecutor(max(1, workers), "extract", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(lambda piece: piece(), pieces))
