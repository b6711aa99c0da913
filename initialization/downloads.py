"""Many downloads at a time, few from any one host, tried again with growing pauses."""

from __future__ import annotations

import heapq
import itertools
import random
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from initialization.sources import Refusal, is_about_name
from initialization.web_files import BoundedStream, Limits, RefusedError, TryAgainError, host_of, open_web
from models.atomic_file import open_atomically

_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class Download:
    """A file to bring to the session."""

    name: str
    """What a refusal calls it."""
    source: str | Path
    """Web address, or a file of this machine."""
    target: Path
    """Left alone if it is there."""


def download_all(
    downloads: Iterable[Download], advance: Callable[[], None], limits: Limits | None = None
) -> list[Refusal]:
    """Fetch what is not there yet. One refusal, in the given order, for each that could not be had.

    Raises:
        OSError: the disk is full, or something else that would stop the next one too.
    """
    wanted = list(downloads)
    reasons = _Downloader(limits or Limits(), advance).run(wanted)
    return [Refusal(download.name, reasons[download.name]) for download in wanted if download.name in reasons]


@dataclass
class _Host:
    waiting: deque[_Job] = field(default_factory=deque)
    active: int = 0
    free_at: float = 0.0
    is_offered: bool = False


@dataclass
class _Job:
    download: Download
    host: _Host
    tries: int = 0


class _Downloader:
    """Hands jobs to threads: the next one is of a host that has a place free and does not ask for a pause."""

    def __init__(self, limits: Limits, advance: Callable[[], None]) -> None:
        self._limits = limits
        self._advance = advance
        self._reasons: dict[str, str] = {}
        self._hosts: dict[str, _Host] = {}
        self._offers: list[tuple[float, int, _Host]] = []
        """Heap of hosts with waiting jobs and a free place, by the time from which they may be asked."""
        self._delayed: list[tuple[float, int, _Job]] = []
        """Heap of jobs that wait for another try."""
        self._active: dict[Future[str | None], _Job] = {}
        self._number = itertools.count()
        self._stopping = threading.Event()

    def run(self, downloads: list[Download]) -> dict[str, str]:
        """Reasons, by name, of those that could not be had."""
        for download in downloads:
            if download.target.is_file():
                self._advance()
                continue
            name = host_of(download.source) if isinstance(download.source, str) else ""
            host = self._hosts.setdefault(name, _Host())
            host.waiting.append(_Job(download, host))
        for host in self._hosts.values():
            self._offer(host)
        with ThreadPoolExecutor(self._limits.threads, thread_name_prefix="download") as pool:
            try:
                while self._offers or self._delayed or self._active:
                    self._start_what_can(pool)
                    self._wait_for_something()
            except BaseException:
                self._stopping.set()
                pool.shutdown(cancel_futures=True)
                raise
        return self._reasons

    def _offer(self, host: _Host) -> None:
        if host.waiting and host.active < self._limits.per_host and not host.is_offered:
            host.is_offered = True
            heapq.heappush(self._offers, (host.free_at, next(self._number), host))

    def _start_what_can(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            job = heapq.heappop(self._delayed)[2]
            job.host.waiting.append(job)
            self._offer(job.host)
        while self._offers and len(self._active) < self._limits.threads and self._offers[0][0] <= now:
            host = heapq.heappop(self._offers)[2]
            host.is_offered = False
            if host.free_at <= now:  # it may have asked for a pause since it was offered
                job = host.waiting.popleft()
                host.active += 1
                self._active[pool.submit(self._try, job)] = job
            self._offer(host)

    def _wait_for_something(self) -> None:
        times = [heap[0][0] for heap in (self._offers, self._delayed) if heap]
        has_place = len(self._active) < self._limits.threads
        pause_s = max(0.0, min(times) - time.monotonic()) if times and has_place else None
        if not self._active:
            time.sleep(pause_s or 0)
            return
        for future in wait(self._active, timeout=pause_s, return_when=FIRST_COMPLETED).done:
            self._end(self._active.pop(future), future)

    def _end(self, job: _Job, future: Future[str | None]) -> None:
        job.host.active -= 1
        try:
            reason = future.result()
        except TryAgainError as error:
            if self._delay(job, error):
                self._offer(job.host)
                return
            reason = str(error)
        if reason:
            self._reasons[job.download.name] = reason
        self._advance()
        self._offer(job.host)

    def _delay(self, job: _Job, error: TryAgainError) -> bool:
        """Whether the job gets another try."""
        job.tries += 1
        asked_s = error.retry_after_s
        if job.tries >= self._limits.tries or (asked_s or 0) > self._limits.max_retry_after_s:
            return False
        backoff_s = self._limits.first_wait_s * 2 ** (job.tries - 1) * random.uniform(0.5, 1.5)
        due = time.monotonic() + max(backoff_s, asked_s or 0)
        if asked_s is not None:
            job.host.free_at = max(job.host.free_at, due)
        heapq.heappush(self._delayed, (due, next(self._number), job))
        return True

    def _try(self, job: _Job) -> str | None:
        """None, or why the file cannot be had."""
        download = job.download
        try:
            if isinstance(download.source, Path):
                self._copy(download.source, download.target)
            else:
                self._download(download.source, download.target)
        except RefusedError as error:
            return str(error)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and not (isinstance(error, PermissionError) or is_about_name(error)):
                raise
            return f"{download.source} cannot be read: {getattr(error, 'strerror', None) or error}"
        return None

    def _download(self, url: str, target: Path) -> None:
        with open_atomically(target, durable=False) as part, open_web(url, self._limits) as stream:
            self._pour(stream, part)

    def _copy(self, source: Path, target: Path) -> None:
        if source.exists() and not stat.S_ISREG(source.stat().st_mode):
            raise RefusedError(f"{source} is no regular file")
        with source.open("rb") as stream, open_atomically(target, durable=False) as part:
            self._pour(BoundedStream(stream, str(source), self._limits.max_bytes), part)

    def _pour(self, stream: BoundedStream, part: IO[bytes]) -> None:
        while chunk := stream.read(_CHUNK_BYTES):
            if self._stopping.is_set():
                raise RefusedError("stopped")
            part.write(chunk)
