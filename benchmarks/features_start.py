"""From a folder of images to the first one that can be clicked with a live prediction.

`python -m benchmarks.features_start [--images N] [--weights FILE] [--resize PX]` generates the folder, runs
`fewclick up --config`
as a person would, opens the session over HTTP, puts points on its first image and waits until a prediction has learned
from them; then clicks on while the extraction of the rest goes on, and on the same session once it is stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from benchmarks.client import Client, ProductError
from benchmarks.product import ROOT, Product, StartError, environment, free_port, write_config

WIDTH_PX, HEIGHT_PX = 640, 480
PATTERNS = 32
START_LIMIT_S = 300.0
POLL_INTERVAL_S = 0.02
CLICKS = 40
CLASSES = (("left", "#E69F00"), ("right", "#0072B2"))


@dataclass(frozen=True)
class StartTimes:
    """Seconds since the command was entered."""

    images: int
    url_s: float
    """The page answers."""
    ready_s: float
    """The first image has its features."""
    prediction_s: float
    """A prediction has learned from points on it."""
    pending: int
    """Images whose features were still to be made by then."""


@dataclass(frozen=True)
class ClickTimes:
    """From PUT annotations to a prediction that has learned from it, milliseconds over HTTP."""

    during: str
    clicks: int
    p50_ms: float
    p95_ms: float
    done_meanwhile: int
    """Images that got their features in this time."""


def make_folder(folder: Path, count: int) -> None:
    """JPEGs of 640 x 480, each another: a few blurred patterns, shifted and lit differently."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    patterns = [_pattern(generator) for _ in range(PATTERNS)]

    def save(number: int) -> None:
        shifted = np.roll(patterns[number % PATTERNS], (number // PATTERNS * 7, number // PATTERNS * 13), axis=(0, 1))
        Image.fromarray(shifted).save(folder / f"img_{number:06}.jpg", quality=85)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save, range(count)))


def measure(image_dir: Path, work_dir: Path, **settings: Any) -> tuple[StartTimes, list[ClickTimes]]:
    """Run the real commands on a folder.

    Raises:
        StartError, ProductError: the product did not do what it should.
    """
    config = write_config(
        work_dir / "config.yaml",
        task="segmentation",
        image_dir=image_dir,
        session_dir=work_dir / "session",
        classes=CLASSES,
        **settings,
    )
    began = time.perf_counter()
    with _up(config, work_dir / "up.log") as url, Client(url) as client:
        url_s = _wait_for_url(client, began)
        image = client.json("GET", "images/next")
        while client.json("GET", f"images/{image['id']}")["features"] != "ready":
            _check_time(began)
            time.sleep(POLL_INTERVAL_S)
        ready_s = time.perf_counter() - began
        _click(client, image["id"], 0)
        prediction_s = time.perf_counter() - began
        health = client.json("GET", "health")["extraction"]
        start = StartTimes(health["total"], url_s, ready_s, prediction_s, health["total"] - health["done"])
        _wait_until_running(client)
        busy = _click_through(client, image["id"], "extraction at work")
    with Product(work_dir / "session", work_dir / "logs") as product, Client(product.url) as client:
        _click(client, image["id"], CLICKS + 1)
        quiet = _click_through(client, image["id"], "no extraction")
    return start, [busy, quiet]


def _click_through(client: Client, image_id: int, during: str) -> ClickTimes:
    before = client.json("GET", "health")["extraction"]
    times_ms = []
    for number in range(CLICKS):
        began = time.perf_counter()
        _click(client, image_id, number + 1)
        times_ms.append((time.perf_counter() - began) * 1000)
        time.sleep(0.3)
    after = client.json("GET", "health")["extraction"]
    quantiles = statistics.quantiles(times_ms, n=20)
    made = after["done"] + after["pooled_done"] - before["done"] - before["pooled_done"]
    return ClickTimes(during, CLICKS, statistics.median(times_ms), quantiles[18], made)


def _click(client: Client, image_id: int, number: int) -> None:
    generator = np.random.default_rng(number)
    points = []
    for class_id, offset in ((1, 0.0), (2, 0.5)):
        for _ in range(3):
            x, y = generator.uniform(0, 0.5, 2)
            points.append({"x": (x + offset) * WIDTH_PX, "y": 2 * y * HEIGHT_PX, "class_id": class_id})
    revision = client.put_annotations(image_id, {"points": points})["revision"]
    client.wait_for_prediction(
        image_id,
        lambda found: found is not None and int(found["annotation_revision"]) >= int(revision),
        poll_interval_s=0.005,
        limit_s=START_LIMIT_S,
    )


def _wait_until_running(client: Client) -> None:
    """Until the extraction service makes features: the first seconds after the start are its network's."""
    deadline = time.perf_counter() + START_LIMIT_S
    while time.perf_counter() < deadline:
        health = client.json("GET", "health")["extraction"]
        if health["state"] == "done" or health["pooled_done"] > 20:
            return
        time.sleep(0.2)
    raise ProductError(f"no features were made within {START_LIMIT_S:g} s: {health}")


@contextlib.contextmanager
def _up(config: Path, log: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "fewclick.cli", "up", "--config", str(config), "--port", str(port)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment({}), stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _wait_for_url(client: Client, began: float) -> float:
    while True:
        with contextlib.suppress(httpx.TransportError):
            client.json("GET", "health")
            return time.perf_counter() - began
        _check_time(began)
        time.sleep(POLL_INTERVAL_S)


def _check_time(began: float) -> None:
    if time.perf_counter() - began > START_LIMIT_S:
        raise StartError(f"not ready within {START_LIMIT_S:g} s")


def _pattern(generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    small = generator.integers(0, 256, (HEIGHT_PX // 20, WIDTH_PX // 20, 3), dtype=np.uint8)
    large = Image.fromarray(small).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)
    noise = generator.normal(0, 6, (HEIGHT_PX, WIDTH_PX, 3))
    return np.clip(np.asarray(large.filter(ImageFilter.GaussianBlur(2))) + noise, 0, 255).astype(np.uint8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 when the product does not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="keep the generated images here for the next time")
    parser.add_argument("--weights", type=Path, help="weights_path; left out: the embedded extractor")
    parser.add_argument("--resize", type=int, help="longest side that the extractor sees; left out: its own")
    parsed = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="fewclick-start-") as work_dir:
            image_dir = parsed.folder or Path(work_dir) / "images"
            if not image_dir.is_dir() or len(list(image_dir.iterdir())) != parsed.images:
                make_folder(image_dir, parsed.images)
            weights = None if parsed.weights is None else str(parsed.weights.resolve())
            start, clicks = measure(image_dir, Path(work_dir), weights_path=weights, resize=parsed.resize)
    except (StartError, ProductError) as error:
        print(f"features_start: {error}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores ({platform.machine()})")
    for row in (start, *clicks):
        print(
            json.dumps(
                {key: round(value, 2) if isinstance(value, float) else value for key, value in vars(row).items()}
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
