"""Files inspected by another process while this one loads the extractor, which keeps one core busy for seconds."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from initialization.inspection import FileFacts, inspect_file
from models.preprocessing import Preprocessing

CHUNK = 250
WORTH_IT = 1_000
"""With fewer files, starting the process takes longer than it saves."""
MOST = 50_000
"""More would be done before the extractor is loaded by no machine, and only take memory."""


class AheadOfTime:
    """Facts of files by path, as far as they were inspected ahead."""

    def __init__(self, chunks: Sequence[tuple[Sequence[str], Future[list[FileFacts]]]]) -> None:
        self._places = {path: (future, index) for paths, future in chunks for index, path in enumerate(paths)}

    def get(self, path: str) -> FileFacts | None:
        """What is known; None where the file has to be inspected. A chunk that was not begun is left to the caller."""
        if path not in self._places:
            return None
        future, index = self._places[path]
        if future.cancel() or future.cancelled():
            return None
        try:
            return future.result()[index]
        except BrokenExecutor:
            # The process was killed, say for want of memory: it was a help only.
            return None


@contextmanager
def inspect_ahead(root: Path, paths: Sequence[str], preprocessing: Preprocessing) -> Iterator[AheadOfTime]:
    """Inspect files below `root` in the background; what is unfinished at the end is dropped."""
    if len(paths) < WORTH_IT:
        yield AheadOfTime([])
        return
    chunks = [paths[start : start + CHUNK] for start in range(0, min(len(paths), MOST), CHUNK)]
    # Not a fork: this process may have threads by then, and torch does not survive one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        futures: list[Future[list[FileFacts]]] = []
        try:
            with suppress(BrokenExecutor):
                futures.extend(pool.submit(_inspect, root, chunk, preprocessing) for chunk in chunks)
            yield AheadOfTime(list(zip(chunks, futures, strict=False)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _inspect(root: Path, paths: Sequence[str], preprocessing: Preprocessing) -> list[FileFacts]:
    return [inspect_file(root / path, preprocessing) for path in paths]
