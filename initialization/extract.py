"""Features of every image, made by any number of workers side by side: init, and the extraction service.

The file comes first, durable, then the row that says so: a worker that is killed at any moment leaves nothing that
another would not find, and nothing that it would have to doubt. See docs/decisions/0008.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session

from db.database import Database
from db.errors import FewclickError
from db.queries import extraction, extraction_results
from db.queries.extraction import Claim
from db.queries.extraction_results import Outcome
from db.queries.extraction_workers import WorkerProgress
from db.queries.feature_requests import OPEN, REST
from db.queries.session_info import get_session_info, training_settings
from initialization.compute import Computed, Prepared, Tiers, finish, prepare
from initialization.heartbeat import Heartbeat
from initialization.inspection import FileFacts
from models.base import FeatureExtractor
from models.feature_store import FeatureStore

DECODED_AHEAD = 2
"""Images decoded while the extractor works; more would only cost memory."""
POOLED_CLAIMS = 16
"""Of the cheap tier so many are claimed at once: each claim is a transaction."""
COMMIT_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 2.0
WAIT_FOR_OTHERS_S = 0.1
RATE_WINDOW = 0.1
"""Weight of the newest image in the moving average of the pace."""


@dataclass
class _Task:
    """A claimed image on its way; `prepared` once a thread is at work on its file."""

    claim: Claim
    prepared: Future[Prepared] | None = None

    @property
    def kind(self) -> tuple[bool, bool]:
        """Tasks of one kind may go through the network together."""
        return self.claim.priority > REST, self.claim.whole


class ExtractorChangedError(FewclickError):
    """The session goes on with another extractor: this one's features are wanted no more."""


class Pace:
    """Moving average of the seconds that an image takes, in each tier."""

    def __init__(self) -> None:
        self._seconds: dict[bool, float] = {}

    def note(self, seconds: float, *, whole: bool) -> None:
        """An image took this long."""
        old = self._seconds.get(whole, seconds)
        self._seconds[whole] = old + RATE_WINDOW * (seconds - old)

    def per_s(self, *, whole: bool) -> float | None:
        """Images a second; None until one was made."""
        seconds = self._seconds.get(whole)
        return None if seconds is None else 1 / max(seconds, 1e-6)


class Extraction:
    """One worker's share of the queue. A context manager: claims are given back and decoding threads end on exit.

    Args:
        patches: False for pooled vectors only; an image is then ready as soon as that is there.
        pooled_first: Make the pooled vectors of all images before the rest of the features that nobody waits for;
            else both at once, which reads each file only once.
    """

    def __init__(
        self,
        database: Database,
        root: Path,
        store: FeatureStore,
        extractor: FeatureExtractor,
        heartbeat: Heartbeat,
        *,
        patches: bool,
        pooled_first: bool,
    ) -> None:
        self._database = database
        self._root = root
        self._store = store
        self._extractor = extractor
        self._heartbeat = heartbeat
        self._patches = patches
        self._pooled_first = pooled_first and patches
        self._tasks: list[_Task] = []
        self._outcomes: list[Outcome] = []
        self._somebody_waits = False
        self._committed_at = time.monotonic()
        self._announced_at = -float("inf")
        self._pace = Pace()
        self._pool = ThreadPoolExecutor(max(1, min(2, (os.cpu_count() or 1) - 1)), thread_name_prefix="decode")
        self._expected = json.loads(json.dumps(extractor.info.to_json()))
        with database.read() as db_session:
            self._strategy = training_settings(get_session_info(db_session)).strategy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
        if kind is None:
            self._commit()
        elif not issubclass(kind, Exception):
            return  # the process ends, and its claims with it
        # After an error too: a worker that goes on living would keep from itself what it is to try again.
        with self._database.write() as db_session:
            extraction.release(db_session, self._heartbeat.worker_id)

    def step(self, *, only_requested: bool = False) -> int | None:
        """Make the most urgent features there are; how many images got ready or failed, None if there is no work.

        Raises:
            OSError: the store cannot be written.
        """
        self._claim(only_requested=only_requested)
        if not self._tasks:
            self._commit()
            return None
        batch = self._next_batch()
        started = time.perf_counter()
        prepared = [self._decoded(task) for task in batch]
        self._decode_ahead()
        done = finish(prepared, self._store, self._extractor)
        whole = batch[0].claim.whole
        if any(each.pixels is not None for each in prepared):
            self._pace.note((time.perf_counter() - started) / len(batch), whole=whole)
        self._outcomes += [_outcome(task.claim, each) for task, each in zip(batch, done, strict=True)]
        self._somebody_waits |= batch[0].claim.priority > REST
        if self._somebody_waits or time.monotonic() - self._committed_at > COMMIT_INTERVAL_S:
            self._commit()
        return sum(whole or not self._patches or each.failure is not None for each in done)

    def finish_all(self, advance: Callable[[int], None]) -> None:
        """Until nothing is left to be made, by this worker or by any other.

        Raises:
            OSError: the store cannot be written.
        """
        while True:
            made = self.step()
            if made is not None:
                advance(made)
                continue
            with self._database.read() as db_session:
                if not extraction.has_pending(db_session):
                    return
            time.sleep(WAIT_FOR_OTHERS_S)

    def _claim(self, *, only_requested: bool) -> None:
        """Look what people wait for by now, and keep enough images at hand that decoding is ahead of the network."""
        with self._database.read() as db_session:
            is_urgent = extraction.has_requested(db_session)
            current = extraction.priorities(db_session, [task.claim.id for task in self._tasks])
        for task in self._tasks:
            self._update(task, current.get(task.claim.id, REST))
        ahead = self._extractor.batch_size + DECODED_AHEAD
        if not is_urgent and (only_requested or len(self._tasks) >= ahead):
            return
        with self._database.write() as db_session:
            self._check_extractor(db_session)
            claims = extraction.claim_requested(db_session, self._heartbeat.worker_id, ahead) if is_urgent else []
            if not only_requested and len(self._tasks) + len(claims) < ahead:
                claims += self._claim_unasked(db_session, ahead)
        self._tasks += [_Task(claim) for claim in claims]
        self._tasks.sort(key=lambda task: -task.claim.priority)

    def _check_extractor(self, db_session: Session) -> None:
        """In the transaction that claims, so that no image is recorded as ready that has another one's features."""
        if get_session_info(db_session).extractor != self._expected:
            raise ExtractorChangedError("the session has another extractor now: start again to make its features")

    def _claim_unasked(self, db_session: Session, ahead: int) -> list[Claim]:
        worker_id = self._heartbeat.worker_id
        claims: list[Claim] = []
        if self._pooled_first:
            claims = extraction.claim_pooled(db_session, worker_id, POOLED_CLAIMS)
        claims = claims or extraction.claim_rest(db_session, worker_id, self._strategy, ahead)
        return claims or extraction.claim_pooled(db_session, worker_id, POOLED_CLAIMS)

    def _update(self, task: _Task, priority: int) -> None:
        """A person may have opened an image that was taken for its pooled vector, or turned to another."""
        whole = task.claim.whole or priority > REST
        if whole != task.claim.whole:
            task.prepared = None  # what is missing is another thing now
        task.claim = replace(task.claim, priority=priority, whole=whole)

    def _next_batch(self) -> list[_Task]:
        """The first tasks, as many of one kind as the network takes well; an image on a screen goes alone."""
        first = self._tasks[0]
        size = 1 if first.claim.priority == OPEN else max(1, self._extractor.batch_size)
        alike = [task for task in self._tasks[:size] if task.kind == first.kind]
        self._tasks = [task for task in self._tasks if task not in alike]
        return alike

    def _decoded(self, task: _Task) -> Prepared:
        return (task.prepared or self._submit(task.claim)).result()

    def _decode_ahead(self) -> None:
        for task in self._tasks[: self._extractor.batch_size + DECODED_AHEAD - 1]:
            task.prepared = task.prepared or self._submit(task.claim)

    def _submit(self, claim: Claim) -> Future[Prepared]:
        wanted = Tiers(patches=self._patches and claim.whole, pooled=True)
        known = FileFacts(claim.content_hash, claim.width, claim.height, claim.file_size, claim.file_mtime_ns)
        return self._pool.submit(prepare, self._root / claim.path, self._store, wanted, known=known, anew=claim.anew)

    def _commit(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._somebody_waits, self._committed_at = False, time.monotonic()
        if outcomes:
            with self._database.write() as db_session:
                worker_id, pooled_is_all = self._heartbeat.worker_id, not self._patches
                extraction_results.record(db_session, worker_id, outcomes, pooled_is_all=pooled_is_all)
            progress = WorkerProgress(self._pace.per_s(whole=True), self._pace.per_s(whole=False))
            self._heartbeat.set_progress(progress)
            self._announce_progress()

    def _announce_progress(self) -> None:
        """Tell the counts now and then, and with the last image."""
        if self._tasks and time.monotonic() < self._announced_at + PROGRESS_INTERVAL_S:
            return
        with self._database.read() as db_session:
            counts = extraction.read_progress(db_session)
        with self._database.write() as db_session:
            extraction.announce_progress(db_session, counts)
        self._announced_at = time.monotonic()


def count_pending(database: Database) -> int:
    """How many images have no features yet."""
    with database.read() as db_session:
        return extraction.read_progress(db_session).pending


def _outcome(claim: Claim, computed: Computed) -> Outcome:
    facts = computed.facts
    return Outcome(
        id=claim.id,
        content_hash=facts.content_hash,
        width=facts.width,
        height=facts.height,
        file_size=facts.file_size,
        file_mtime_ns=facts.file_mtime_ns,
        failure=facts.failure,
        whole=claim.whole,
    )
