"""One wave of images through Ray: an answer to each, whatever dies on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from initialization.cluster_pool import Pool
from initialization.cluster_worker import (
    ClusterWorker,
    ImageAnswer,
    ImageTask,
    Job,
    WorkerRefusalError,
    read_answers,
    tasks_table,
)
from initialization.errors import ClusterError
from initialization.inspection import FileFacts

BATCH_CPU, BATCH_GPU = 32, 256
"""Images per batch at most: what a dying worker has another one look through again."""
BATCHES_PER_WORKER = 4
"""At least, so that all workers end a wave at about the same time."""
TRIES_ALONE = 2
MAX_DEATHS_IN_A_ROW = 16
"""Of images tried one by one: beyond, it is the machines that are at fault."""


def answer_wave(job: Job, pool: Pool, tasks: list[ImageTask]) -> Iterator[ImageAnswer]:
    """An answer to every task, in the order in which they come; Ray must be running.

    Raises:
        ClusterError: a worker cannot take part, or all workers die.
    """
    from ray.exceptions import RayError

    missing = {task.id: task for task in tasks}
    try:
        for answer in _answer_in_batches(job, pool, tasks):
            missing.pop(answer.id, None)
            yield answer
        yield from _answer_alone(job, pool, list(missing.values()))
    except WorkerRefusalError as error:
        raise ClusterError(str(error)) from error
    except RayError as error:
        absent = re.search(r"No module named '([\w.]+)'", str(error))
        if absent is None:
            raise
        raise ClusterError(
            f"a worker has no module {absent.group(1)!r}: install this version of Fewclick on every machine of the "
            'cluster (`pip install "fewclick[ray]"`)'
        ) from error


def batch_size(pool: Pool, images: int) -> int:
    """Images per batch: large for little overhead, small enough to keep all workers busy to the end."""
    most = BATCH_GPU if pool.gpus else BATCH_CPU
    return max(1, min(most, -(-images // (pool.workers * BATCHES_PER_WORKER))))


def _answer_in_batches(job: Job, pool: Pool, tasks: list[ImageTask]) -> Iterator[ImageAnswer]:
    """Answers by Ray Data; a batch that killed every worker that took it is left out."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    size = batch_size(pool, len(tasks))
    tables = [tasks_table(tasks[start : start + size]) for start in range(0, len(tasks), size)]
    answers = ray.data.from_arrow(tables).map_batches(
        ClusterWorker,
        fn_constructor_args=(job,),
        batch_size=None,  # a table is a batch
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=pool.workers),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
    )
    for table in answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from read_answers(table)


def _answer_alone(job: Job, pool: Pool, tasks: list[ImageTask]) -> Iterator[ImageAnswer]:
    """Answers to what batches did not answer, each image by itself: the one that kills its worker is found."""
    if not tasks:
        return
    import ray
    from ray.exceptions import OutOfMemoryError, RayActorError

    make = ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus, max_restarts=0)(ClusterWorker)
    worker: Any = make.remote(job)
    deaths_in_a_row = 0
    for task in tasks:
        (job.mark / str(task.id)).unlink(missing_ok=True)  # attempts at a batch that began with this image
        for _ in range(TRIES_ALONE):
            try:
                answers = read_answers(ray.get(worker.__call__.remote(tasks_table([task]))))
            except (RayActorError, OutOfMemoryError):
                deaths_in_a_row += 1
                worker = make.remote(job)
            else:
                deaths_in_a_row = 0
                yield from answers
                break
        else:
            if deaths_in_a_row >= MAX_DEATHS_IN_A_ROW:
                raise ClusterError(
                    f"the last {deaths_in_a_row} workers died before they answered: see that each has enough memory "
                    "(fewer --ray-workers), and the logs of Ray"
                )
            yield ImageAnswer(task.id, _killer(task))


def _killer(task: ImageTask) -> FileFacts:
    name = Path(task.path).name
    reason = (
        f"{name} ended every worker that took it, perhaps for want of memory: make it smaller, or cut it into tiles"
    )
    return replace(task.known, failure=reason)
