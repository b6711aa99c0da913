"""What a cluster costs: Ray beside the local engine on the same cores, and a model of time, disk and price.

`python -m benchmarks.features_cluster [--images N]` measures here, prints what was measured, and computes the rest from
it; every computed number says from what. Used by docs/cluster.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from rich.console import Console
from sqlalchemy import insert

from benchmarks.cluster_costs import plan_section, plans
from benchmarks.product import ROOT, write_config
from benchmarks.tables import Section, machine, show
from db.database import Database, database_url
from db.migrate import migrate
from db.queries.extraction import claim_rest
from db.queries.extraction_results import Outcome, record
from db.queries.extraction_workers import WorkerProgress, beat_extraction
from db.queries.session_info import Strategy, TrainingSettings
from db.tables.images import Image
from db.tables.session import SessionInfo
from db.tasks import Task
from initialization.inspection import inspect_file
from models.images import read_image

CLASSES = (("foreground", "#00FF00"), ("background", "#FF0000"))
RECORDED_ROWS = 20_000
ROWS_PER_COMMIT = 2_000


@dataclass(frozen=True)
class EngineRow:
    """One way to extract, on this machine."""

    engine: str
    seconds_small: float
    seconds_large: float
    """Of the whole command, for the small and the large folder."""
    large: int
    """Images in the large folder."""
    seconds_per_image: float
    """From the difference of the two: without start and end."""

    @property
    def start_s(self) -> float:
        """What the command would take for no images at all."""
        return self.seconds_large - self.large * self.seconds_per_image


@dataclass(frozen=True)
class HostRates:
    """What one core and the driver do here."""

    register_per_s: float
    """Files hashed and measured in a second of processor time."""
    decode_per_s: float
    """Files hashed and decoded in a second of processor time."""
    record_per_s: float
    """Rows claimed and committed in a second of processor time: what bounds any number of workers."""


def engine_rows(small: int, large: int, resize: int) -> list[EngineRow]:
    """The local engine, and Ray with one worker of all cores and with one worker for each core."""
    cores = os.cpu_count() or 1
    engines: dict[str, list[str]] = {
        "local": [],
        f"ray, 1 worker of {cores} cores": ["--engine", "ray", "--ray-workers", "1"],
        f"ray, {cores} workers of 1 core": ["--engine", "ray", "--ray-workers", str(cores), "--ray-cpus", "1"],
    }
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (small, large):
            make_pictures(folder / f"images_{count}", count)
        for engine, arguments in engines.items():
            took = {count: _run(folder, count, resize, arguments) for count in (small, large)}
            each = (took[large] - took[small]) / (large - small)
            rows.append(EngineRow(engine, took[small], took[large], large, each))
    return rows


def host_rates(images: int) -> HostRates:
    """Measured on JPEGs of 640 x 480 that the system has in memory."""
    with tempfile.TemporaryDirectory() as name:
        paths = make_pictures(Path(name) / "images", images)
        # Processor time, as other work on the machine must not count.
        started = time.process_time()
        for path in paths:
            inspect_file(path)
        registered = time.process_time()
        for path in paths:
            read_image(path)
        decoded = time.process_time()
        return HostRates(
            register_per_s=images / (registered - started),
            decode_per_s=images / (decoded - started),
            record_per_s=_record_rate(Path(name)),
        )


def make_pictures(folder: Path, count: int) -> list[Path]:
    """JPEGs of 640 x 480 with smooth content and noise, no two alike."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        picture = PillowImage.fromarray(coarse).resize((640, 480), PillowImage.Resampling.BICUBIC)
        noise = generator.integers(-12, 13, (480, 640, 3))
        pixels = np.clip(np.asarray(picture).astype(np.int16) + noise, 0, 255).astype(np.uint8)
        paths.append(folder / f"{number:05}.jpg")
        PillowImage.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def _run(folder: Path, count: int, resize: int, arguments: Sequence[str]) -> float:
    run = folder / f"run_{time.monotonic_ns()}"
    run.mkdir()
    config = write_config(
        run / "config.yaml",
        task="segmentation",
        image_dir=folder / f"images_{count}",
        session_dir=run / "session",
        classes=CLASSES,
        resize=resize,
    )
    command = [sys.executable, str(ROOT / "initialization/init_session.py"), "--config", str(config), "--yes"]
    started = time.perf_counter()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode != 0 or not re.search(rf"ready +{count}\b", done.stdout):
        raise RuntimeError(
            f"{' '.join(map(str, arguments)) or 'local'}: status {done.returncode}: {done.stderr.strip()}"
        )
    return seconds


def _record_rate(folder: Path) -> float:
    session_dir = folder / "session"
    session_dir.mkdir()
    database = Database(database_url(session_dir))
    migrate(database.engine)
    row = {"width": 640, "height": 480, "file_size": 1, "file_mtime_ns": 1, "extra": {}}
    rows = [
        {"path": f"{n:09}.jpg", "content_hash": f"{n:064x}", "random_key": n / RECORDED_ROWS} | row
        for n in range(RECORDED_ROWS)
    ]
    with database.write() as db_session:
        training = TrainingSettings().model_dump(mode="json")
        db_session.add(
            SessionInfo(name="", task=Task.SEGMENTATION, image_root="", config={}, training=training, extractor={})
        )
        db_session.execute(insert(Image), rows)
        beat_extraction(db_session, "driver", os.getpid(), socket.gethostname(), WorkerProgress())
    started = time.process_time()
    for _ in range(RECORDED_ROWS // ROWS_PER_COMMIT):
        with database.write() as db_session:
            claims = claim_rest(db_session, "driver", Strategy.SEQUENTIAL, ROWS_PER_COMMIT)
        outcomes = [Outcome(c.id, c.content_hash, 640, 480, 1, 1, None, whole=True) for c in claims]
        with database.write() as db_session:
            record(db_session, "driver", outcomes, pooled_is_all=False)
    seconds = time.process_time() - started
    database.close()
    return RECORDED_ROWS / seconds


def engine_section(rows: Sequence[EngineRow], small: int, large: int) -> Section:
    """Measured."""
    columns = ("engine", f"command, {small} images", f"command, {large} images", "s an image", "start and end")
    cells = (
        (
            row.engine,
            f"{row.seconds_small:.1f} s",
            f"{row.seconds_large:.1f} s",
            f"{row.seconds_per_image:.2f}",
            f"{row.start_s:.1f} s",
        )
        for row in rows
    )
    return Section("Ray beside the local engine (measured)", columns, tuple(cells))


def main() -> None:
    """Measure, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40, help="in the larger of two folders")
    parser.add_argument("--resize", type=int, default=256, help="longest side for the embedded extractor, pixels")
    parser.add_argument("--side", type=int, default=512, help="of the images in the computed table, pixels")
    arguments = parser.parse_args()
    console = Console()
    rates = host_rates(200)
    console.print(f"{machine()}; {platform.platform()}")
    console.print(
        f"one core: {rates.register_per_s:.0f} files/s registered, {rates.decode_per_s:.0f} files/s hashed and "
        f"decoded (640 x 480 JPEG); driver: {rates.record_per_s:.0f} rows/s claimed and committed"
    )
    small = max(2, arguments.images // 5)
    rows = engine_rows(small, arguments.images, arguments.resize)
    computed = plans(10_000_000, arguments.side, rates.decode_per_s, rates.record_per_s)
    show(console, [engine_section(rows, small, arguments.images), plan_section(computed, arguments.side)])


if __name__ == "__main__":
    main()
