"""What runs on the machines of a cluster: batches of images in, files in the store and answers out.

A worker never touches the database. It may die at any moment: its batch is given to another one, which finds the files
that were finished and makes the others.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initialization.compute import Prepared, Tiers, finish, prepare
from initialization.inspection import FileFacts
from models.base import ExtractorInfo, FeatureExtractor
from models.errors import ModelsError
from models.extractor_settings import ExtractorSettings, tell_differences
from models.feature_store import FeatureStore
from models.preprocessing import Preprocessing, with_preprocessing

if TYPE_CHECKING:
    import pyarrow as pa

RETRIES_NAME = "retries"
"""In `Job.mark`: counts batches that were begun anew."""
MAX_ATTEMPTS = 2
"""At a batch whose worker died, before its images are tried one by one."""


@dataclass(frozen=True)
class ImageTask:
    """One image whose features are wanted."""

    id: int
    path: str
    """Relative to `Job.root`."""
    known: FileFacts
    """What the database says of the file."""
    anew: bool
    """Compute it again whatever the store holds."""


@dataclass(frozen=True)
class ImageAnswer:
    """What became of one image."""

    id: int
    facts: FileFacts


@dataclass(frozen=True)
class Job:
    """All that a worker must know; it travels to every one of them."""

    session_dir: Path
    root: Path
    mark: Path
    """A folder of a random name that the driver made in the session folder: who sees it sees the same session."""
    probe: str
    """An image, relative to `root`, that was there when the driver looked; empty if none was."""
    load_extractor: Callable[[ExtractorSettings], FeatureExtractor]
    settings: ExtractorSettings
    preprocessing: Preprocessing
    info: ExtractorInfo
    """The extractor as the driver loaded it."""
    tiers: Tiers
    threads: int | None
    """Threads of a worker's network; None leaves them alone."""
    decode_threads: int


class WorkerRefusalError(Exception):
    """This machine cannot take part; the message says what differs and what to do."""


class ClusterWorker:
    """Loads the extractor once, then answers batch after batch; Ray makes one for each worker."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._ready: tuple[FeatureStore, FeatureExtractor] | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Answers to a batch of tasks; one row with a refusal if this machine or its disk cannot go on.

        Refusals go back as rows: Ray would wrap an exception into pages of text. There are no answers to a batch that
        has killed several workers: Ray would give it to one after another for ever.
        """
        tasks = read_tasks(table)
        attempts = self._job.mark / str(tasks[0].id)
        try:
            if self._ready is None:
                self._ready = open_tools(self._job)
            attempt = count_in(attempts)
            if attempt > 1:
                count_in(self._job.mark / RETRIES_NAME)
            if attempt > MAX_ATTEMPTS:
                return answers_table([])
            answers = list(answer_all(self._job, *self._ready, tasks))
            attempts.unlink(missing_ok=True)
        except WorkerRefusalError as error:
            return refusal_table(f"worker {self._name}: {error}")
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return refusal_table(f"worker {self._name} cannot write features: {error.strerror or error}{where}")
        return answers_table(answers)


def open_tools(job: Job) -> tuple[FeatureStore, FeatureExtractor]:
    """Store and extractor of this machine, found to be the driver's.

    Raises:
        WorkerRefusalError: they are not.
    """
    check_folders(job)
    try:
        extractor = with_preprocessing(job.load_extractor(job.settings), job.preprocessing)
    except ModelsError as error:
        raise WorkerRefusalError(f"{error} (the weights must lie at the same path on every machine)") from error
    check_extractor(job.info, extractor.info)
    torch = sys.modules.get("torch")
    if job.threads is not None and torch is not None:
        torch.set_num_threads(job.threads)
    try:
        return FeatureStore(job.session_dir, job.info), extractor
    except ModelsError as error:
        raise WorkerRefusalError(str(error)) from error


def count_in(path: Path, step: int = 1) -> int:
    """Add to a count in a file, which outlives a worker; the count after it."""
    with path.open("ab") as stream:
        stream.write(b"." * step)
        return stream.tell()


def check_folders(job: Job) -> None:
    """Whether this machine sees the session and the images that the driver sees.

    Raises:
        WorkerRefusalError: it does not.
    """
    shared = "every machine needs it at this path, on a shared file system: see docs/cluster.md"
    # Asked before the store is opened: it would make a folder of its own where there is none.
    if not job.mark.is_dir():
        raise WorkerRefusalError(f"session folder {job.session_dir} is not the one of the driver; {shared}")
    if job.probe and not (job.root / job.probe).is_file():
        raise WorkerRefusalError(f"{job.probe} is not in the image folder {job.root}; {shared}")


def check_extractor(expected: ExtractorInfo, found: ExtractorInfo) -> None:
    """Whether features of this machine can stand beside those of the driver.

    Raises:
        WorkerRefusalError: the extractors differ.
    """
    differences = tell_differences(expected, found)
    if differences:
        raise WorkerRefusalError(
            f"its extractor differs ({differences}); all machines, the driver's included, need the same version of "
            "Fewclick, the same weights and the same kind of device (GPU or none)"
        )


def answer_all(
    job: Job, store: FeatureStore, extractor: FeatureExtractor, tasks: list[ImageTask]
) -> Iterator[ImageAnswer]:
    """Decode ahead in threads, run the network on as many images at once as it takes to best effect.

    Raises:
        OSError: the store cannot be written.
    """
    size = max(1, extractor.batch_size)
    waiting: list[tuple[ImageTask, Prepared]] = []
    for task, prepared in _prepare_ahead(job, store, tasks, lookahead=size + job.decode_threads):
        waiting.append((task, prepared))
        if len(waiting) == size:
            yield from _finish(waiting, store, extractor)
            waiting = []
    yield from _finish(waiting, store, extractor)


def _prepare_ahead(
    job: Job, store: FeatureStore, tasks: list[ImageTask], lookahead: int
) -> Iterator[tuple[ImageTask, Prepared]]:
    with ThreadPoolExecutor(job.decode_threads, thread_name_prefix="decode") as pool:
        started: deque[tuple[ImageTask, Future[Prepared]]] = deque()
        try:
            for task in tasks:
                path = job.root / task.path
                future = pool.submit(prepare, path, store, job.tiers, known=task.known, anew=task.anew)
                started.append((task, future))
                if len(started) > lookahead:
                    done, result = started.popleft()
                    yield done, result.result()
            for done, result in started:
                yield done, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(
    waiting: list[tuple[ImageTask, Prepared]], store: FeatureStore, extractor: FeatureExtractor
) -> Iterator[ImageAnswer]:
    computed = finish([prepared for _, prepared in waiting], store, extractor)
    for (task, _), done in zip(waiting, computed, strict=True):
        yield ImageAnswer(task.id, done.facts)


FACTS = ("content_hash", "width", "height", "file_size", "file_mtime_ns", "failure")


def tasks_table(tasks: list[ImageTask]) -> pa.Table:
    """Tasks as they travel to the workers."""
    import pyarrow as pa

    head = pa.schema([("id", pa.int64()), ("path", pa.string()), ("anew", pa.bool_())])
    rows = [{"id": task.id, "path": task.path, "anew": task.anew} | asdict(task.known) for task in tasks]
    return pa.Table.from_pylist(rows, pa.schema([*head, *_facts_schema()]))


def read_tasks(table: pa.Table) -> list[ImageTask]:
    """Inverse of `tasks_table`."""
    return [ImageTask(row["id"], row["path"], _facts(row), row["anew"]) for row in table.to_pylist()]


def answers_table(answers: list[ImageAnswer]) -> pa.Table:
    """Answers as they travel back; none of them is a refusal."""
    import pyarrow as pa

    rows = [{"id": answer.id, "refusal": None} | asdict(answer.facts) for answer in answers]
    return pa.Table.from_pylist(rows, _answers_schema())


def refusal_table(reason: str) -> pa.Table:
    """The answer of a worker that cannot go on."""
    import pyarrow as pa

    row = {"id": -1, "refusal": reason} | asdict(FileFacts())
    return pa.Table.from_pylist([row], _answers_schema())


def read_answers(table: pa.Table) -> list[ImageAnswer]:
    """Inverse of `answers_table`.

    Raises:
        WorkerRefusalError: the table is a refusal.
    """
    answers = []
    for row in table.to_pylist():
        if row["refusal"] is not None:
            raise WorkerRefusalError(row["refusal"])
        answers.append(ImageAnswer(row["id"], _facts(row)))
    return answers


def _facts(row: dict[str, Any]) -> FileFacts:
    return FileFacts(**{name: row[name] for name in FACTS})


def _facts_schema() -> pa.Schema:
    import pyarrow as pa

    types = (pa.string(), pa.int32(), pa.int32(), pa.int64(), pa.int64(), pa.string())
    return pa.schema(list(zip(FACTS, types, strict=True)))


def _answers_schema() -> pa.Schema:
    import pyarrow as pa

    head = pa.schema([("id", pa.int64()), ("refusal", pa.string())])
    return pa.schema([*head, *_facts_schema()])
