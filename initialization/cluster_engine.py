"""Features by many workers: Ray Data streams images to them, and their answers into the database.

Only this process, the driver, writes the database. A worker that dies costs nothing but the image at hand: its batch
goes to another one. An image that kills every worker that takes it becomes a failed row.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from db.database import Database
from db.queries.extraction import Claim, claim_requested, claim_rest, has_pending
from db.queries.extraction_results import Outcome, record
from db.queries.session_info import get_session_info, training_settings
from initialization.cluster_pool import ClusterSettings, Pool, plan_pool
from initialization.cluster_wave import answer_wave
from initialization.cluster_worker import RETRIES_NAME, ImageAnswer, ImageTask, Job, count_in
from initialization.compute import Tiers
from initialization.heartbeat import Heartbeat
from initialization.inspection import FileFacts
from initialization.ray_runtime import running_ray
from models.base import ExtractorInfo, FeatureExtractor
from models.extractor_settings import ExtractorSettings
from models.preprocessing import Preprocessing

FIRST_WAVE, WAVE_GROWTH, LAST_WAVE = 2_000, 4, 500_000
"""Images given to the cluster at a time: few at first, so that labelling can begin; then so many that loading the
extractor anew for each wave does not count."""
CLAIMS_PER_TRANSACTION = 5_000
MIN_DECODE_THREADS, MAX_DECODE_THREADS = 2, 16
MARK_PREFIX = ".cluster-"
COMMIT_INTERVAL_S = 1.0
COMMIT_SHARE = 0.2
"""Of the time, at most, for commits: they become fewer and larger as the session grows."""


@dataclass(frozen=True)
class ClusterOrder:
    """What is to be extracted with what, and by whom; see `cluster_worker.Job`."""

    cluster: ClusterSettings
    session_dir: Path
    root: Path
    load_extractor: Callable[[ExtractorSettings], FeatureExtractor]
    settings: ExtractorSettings
    preprocessing: Preprocessing
    info: ExtractorInfo
    patches: bool


def extract_on_cluster(
    database: Database,
    order: ClusterOrder,
    heartbeat: Heartbeat,
    advance: Callable[[int], None],
    tell: Callable[[str], None],
) -> None:
    """Make the features of all pending images; the store of the session is there already.

    Args:
        heartbeat: Of this process; the images are claimed in its name.
        tell: Takes lines for the person who waits.

    Raises:
        ClusterError: Ray is missing or does not answer, or a worker does not see what this process sees.
    """
    with database.read() as db_session:
        if not has_pending(db_session):
            return
    threads = _own_threads()
    with running_ray(order.cluster) as machines, _mark(order.session_dir) as mark:
        pool = plan_pool(order.cluster, machines, threads)
        tell(str(pool))
        size = FIRST_WAVE
        while claims := _claim(database, heartbeat.worker_id, size):
            job = _job(order, mark, claims[0], pool, threads)
            tasks = [_task(claim) for claim in claims]
            with Recorder(database, heartbeat.worker_id, advance, pooled_is_all=not order.patches) as recorder:
                for answer in answer_wave(job, pool, tasks):
                    recorder.add(answer)
            size = min(size * WAVE_GROWTH, LAST_WAVE)
        retried = count_in(mark / RETRIES_NAME, step=0)
    if retried:
        tell(f"{retried} time{'s' * (retried != 1)} a worker died and another one took over")


class Recorder:
    """Collects answers and commits them now and then; each image counts once, however often it is answered."""

    def __init__(
        self, database: Database, worker_id: str, advance: Callable[[int], None], *, pooled_is_all: bool
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._advance = advance
        self._pooled_is_all = pooled_is_all
        self._waiting: list[Outcome] = []
        self._answered: set[int] = set()
        self._next_commit = time.monotonic() + COMMIT_INTERVAL_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Also after Ctrl+C: what is finished is kept.
        self._commit()

    def add(self, answer: ImageAnswer) -> None:
        """Take an answer; a second one for the same image is dropped."""
        if answer.id in self._answered:
            return
        self._answered.add(answer.id)
        facts = answer.facts
        self._waiting.append(
            Outcome(
                id=answer.id,
                content_hash=facts.content_hash,
                width=facts.width,
                height=facts.height,
                file_size=facts.file_size,
                file_mtime_ns=facts.file_mtime_ns,
                failure=facts.failure,
                whole=True,
            )
        )
        if time.monotonic() >= self._next_commit:
            self._commit()

    def _commit(self) -> None:
        if not self._waiting:
            return
        started = time.monotonic()
        with self._database.write() as db_session:
            record(db_session, self._worker_id, self._waiting, pooled_is_all=self._pooled_is_all)
        ended = time.monotonic()
        self._advance(len(self._waiting))
        self._waiting = []
        self._next_commit = ended + max(COMMIT_INTERVAL_S, (ended - started) / COMMIT_SHARE)


def _claim(database: Database, worker_id: str, count: int) -> list[Claim]:
    """Up to `count` images, in the order in which people will see them."""
    claims: list[Claim] = []
    while len(claims) < count:
        with database.write() as db_session:
            strategy = training_settings(get_session_info(db_session)).strategy
            limit = min(CLAIMS_PER_TRANSACTION, count - len(claims))
            found = claim_requested(db_session, worker_id, limit)
            found += claim_rest(db_session, worker_id, strategy, limit - len(found))
        claims += found
        if len(found) < limit:
            break
    return claims


def _task(claim: Claim) -> ImageTask:
    known = FileFacts(claim.content_hash, claim.width, claim.height, claim.file_size, claim.file_mtime_ns)
    return ImageTask(claim.id, claim.path, known, claim.anew)


def _job(order: ClusterOrder, mark: Path, first: Claim, pool: Pool, threads: int | None) -> Job:
    return Job(
        session_dir=order.session_dir,
        root=order.root,
        mark=mark,
        probe=first.path if (order.root / first.path).is_file() else "",
        load_extractor=order.load_extractor,
        settings=order.settings,
        preprocessing=order.preprocessing,
        info=order.info,
        tiers=Tiers(patches=order.patches, pooled=True),
        threads=None if threads is None else min(threads, pool.cpus),
        decode_threads=min(MAX_DECODE_THREADS, max(MIN_DECODE_THREADS, pool.cpus)),
    )


def _own_threads() -> int | None:
    """Threads of the network in this process, if it has loaded one."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


@contextmanager
def _mark(session_dir: Path) -> Iterator[Path]:
    """See `Job.mark`. What a killed run left is removed: only one initialization works on a session at a time."""
    for old in session_dir.glob(f"{MARK_PREFIX}*"):
        shutil.rmtree(old, ignore_errors=True)
    mark = session_dir / f"{MARK_PREFIX}{secrets.token_hex(8)}"
    mark.mkdir()
    try:
        yield mark
    finally:
        shutil.rmtree(mark, ignore_errors=True)
