"""Full runs through HTTP: how soon one is seen to begin, how soon it ends when it is stopped, how fast it trains.

Backend and ML service run as processes of their own on generated sessions (96 x 96 cells of 384 channels; pooled
vectors of 384). Each run is stopped after another while, some of them as they still read their inputs:
`python -m benchmarks.learning_runs [--quick] [--stops N]`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.client import Client
from benchmarks.generated_session import Size, make_generated_session
from benchmarks.product import Product
from benchmarks.tables import Section, machine, section_of, show
from db.queries.session_info import HeadKind, heads_of
from db.tasks import Task

STOPS = 12
LONGEST_RUN_S = 2.5
POLL_S = 0.002
LIMIT_S = 60.0
SIZES = (
    Size(Task.SEGMENTATION, 1_000, 200),
    Size(Task.SEGMENTATION, 1_000, 5_000),
    Size(Task.CLASSIFICATION, 20_000, 5_000, n_classes=10),
)
QUICK = (Size(Task.SEGMENTATION, 200, 100, cells=32), Size(Task.CLASSIFICATION, 500, 100))


@dataclass(frozen=True)
class Run:
    """Milliseconds of one run that was stopped."""

    seen_ms: float
    """From POST start until GET training tells of it."""
    running_ms: float
    """Until it is at work."""
    stop_ms: float
    """From POST stop until GET training says FINISHED."""
    epochs: int
    trained_s: float


@dataclass(frozen=True)
class Stops:
    """A row of the table."""

    session: str
    labels: int
    head: str
    seen_p50_ms: float
    running_p50_ms: float
    stop_p50_ms: float
    stop_p95_ms: float
    stop_worst_ms: float
    epochs_per_s: float


def tables(sizes: Sequence[Size] = SIZES, *, stops: int = STOPS) -> list[Section]:
    """Beginning and end of runs for each size and head."""
    rows = [row for size in sizes for row in _measure(size, stops)]
    return [
        section_of(
            f"Runs that are started and stopped ({stops} a row)",
            rows,
            {
                "session": "session",
                "labels": "labels",
                "head": "head",
                "seen_p50_ms": "start to seen ms",
                "running_p50_ms": "start to at work ms",
                "stop_p50_ms": "stop p50 ms",
                "stop_p95_ms": "stop p95 ms",
                "stop_worst_ms": "stop worst ms",
                "epochs_per_s": "epochs a second",
            },
        )
    ]


def _measure(size: Size, stops: int) -> Iterator[Stops]:
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder), size) as client:
        _wait(client, lambda health: bool(health["ml_service"]["alive"]), "health")
        for head in heads_of(size.task):
            yield _measure_head(client, size, head, stops)


@contextmanager
def _served(folder: Path, size: Size) -> Iterator[Client]:
    session_dir = folder / "session"
    session_dir.mkdir()
    make_generated_session(session_dir, size).close()
    with Product(session_dir, folder / "logs") as product, Client(product.url) as client:
        yield client


def _measure_head(client: Client, size: Size, head: HeadKind, stops: int) -> Stops:
    # It must not end by itself: there are always more epochs, and patience enough.
    settings = {"head": head.value, "max_epochs": 100_000, "early_stop_patience": 10_000, "prediction_interval": 50}
    client.json("PATCH", "config", json=settings)
    _run_and_stop(client, 1.0)
    pauses = np.linspace(0, LONGEST_RUN_S, stops).tolist()
    runs = [_run_and_stop(client, pause_s) for pause_s in pauses]
    stopped = [run.stop_ms for run in runs]
    trained = [run for run in runs if run.epochs]
    return Stops(
        session=f"{size.task.name}, {size.n_images:,} images",
        labels=size.n_labels,
        head=head.value,
        seen_p50_ms=float(np.median([run.seen_ms for run in runs])),
        running_p50_ms=float(np.median([run.running_ms for run in runs])),
        stop_p50_ms=float(np.median(stopped)),
        stop_p95_ms=float(np.percentile(stopped, 95)),
        stop_worst_ms=max(stopped),
        epochs_per_s=sum(run.epochs for run in trained) / max(sum(run.trained_s for run in trained), 1e-9),
    )


def _run_and_stop(client: Client, pause_s: float) -> Run:
    before = client.json("GET", "training")["run_id"]
    began = time.perf_counter()
    client.json("POST", "training/start")
    _wait(client, lambda run: run["run_id"] != before, "training")
    seen = time.perf_counter()
    _wait(client, lambda run: run["state"] != "QUEUED", "training")
    at_work = time.perf_counter()
    time.sleep(pause_s)
    stopped = time.perf_counter()
    client.json("POST", "training/stop")
    run = _wait(client, lambda run: run["state"] in ("FINISHED", "FAILED"), "training")
    ended = time.perf_counter()
    if run["state"] == "FAILED":
        raise RuntimeError(f"run {run['run_id']} failed: {run['message']}")
    return Run(
        seen_ms=1000 * (seen - began),
        running_ms=1000 * (at_work - began),
        stop_ms=1000 * (ended - stopped),
        epochs=run["epoch"],
        trained_s=pause_s,
    )


def _wait(client: Client, condition: Any, path: str) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.json("GET", path)
        if condition(found):
            return found
        time.sleep(POLL_S)
    raise TimeoutError(f"GET {path} did not come to what was waited for within {LIMIT_S:g} s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sessions")
    parser.add_argument("--stops", type=int, default=STOPS)
    arguments = parser.parse_args()
    console = Console()
    show(console, tables(QUICK if arguments.quick else SIZES, stops=arguments.stops))
    console.print(machine())


if __name__ == "__main__":
    main()
