"""Tables of what the robot measured: for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.datasets import Dataset
from benchmarks.runs import SeedResult

START_MARK = "<!-- robot: written by benchmarks/robot.py, do not edit between the marks -->"
END_MARK = "<!-- robot: end -->"
WARM_UP_CLICKS = 5
P50_TARGET_MS = 60.0
P95_TARGET_MS = 120.0
MEASURE = {"segmentation": "IoU", "classification": "accuracy"}


@dataclass(frozen=True)
class SetResult:
    """All seeds of one set."""

    dataset: Dataset
    extractor: str
    init_s: float
    """From the start of init_session.py to its end: registration and features of all images."""
    seeds: tuple[SeedResult, ...]

    def product(self) -> list[float]:
        """Final score of each seed."""
        return [seed.scores[-1].product for seed in self.seeds]

    def warm(self, name: str) -> list[float]:
        """Times in ms without the first clicks after the start of the service."""
        first, *rest = (list(getattr(seed, name)) for seed in self.seeds)
        return first[WARM_UP_CLICKS:] + [value for values in rest for value in values]


@dataclass(frozen=True)
class Section:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def verdict(value: float, target: float | None, *, at_most: bool = False) -> str:
    """Whether a number reaches its target, in words."""
    if target is None:
        return "no target"
    if value <= target if at_most else value >= target:
        return "reached"
    return f"{value - target:.0f} ms over" if at_most else f"short by {target - value:.3f}"


def sections(results: Sequence[SetResult]) -> list[Section]:
    """Everything measured, as tables."""
    return [_curve_section(results), _target_section(results), _latency_section(results)]


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values):.3f}" if len(values) > 1 else "")


def _curve_section(results: Sequence[SetResult]) -> Section:
    rows = []
    for result in results:
        majority = f"{np.mean([seed.majority_share for seed in result.seeds]):.3f}"
        covering = f"{np.mean([seed.all_foreground for seed in result.seeds]):.3f}"
        for index in range(len(result.seeds[0].scores)):
            scores = [seed.scores[index] for seed in result.seeds]
            rows.append(
                (
                    result.dataset.name,
                    MEASURE[result.dataset.task],
                    f"{np.mean([score.annotations for score in scores]):.0f}",
                    _mean([score.product for score in scores]),
                    _mean([score.forest for score in scores]),
                    covering if result.dataset.task == "segmentation" else "-",
                    majority,
                    f"{result.seeds[0].held_out}",
                )
            )
    columns = (
        "set", "measure", "clicks or labels", "Fewclick", "random forest", "all foreground", "majority share",
        "held-out images",
    )  # fmt: skip
    return Section("Quality on images never labelled, mean ± deviation over seeds", columns, tuple(rows))


def _target_section(results: Sequence[SetResult]) -> Section:
    rows = []
    for result in results:
        target, value = result.dataset.target, float(np.mean(result.product()))
        shown = "-" if target is None else f"{target:.2f}"
        rows.append((result.dataset.name, f"{value:.3f}", shown, verdict(value, target)))
    return Section("Final quality against its target", ("set", "Fewclick", "target", "verdict"), tuple(rows))


def _latency_section(results: Sequence[SetResult]) -> Section:
    rows = []
    for result in results:
        rows.append(_latency_row(result.dataset.name, result.warm("prediction_ms"), "to prediction", targets=True))
        if result.dataset.task == "segmentation":
            rows.append(_latency_row(result.dataset.name, result.warm("mask_ms"), "to full-size mask", targets=False))
        opened = [value for seed in result.seeds for value in seed.open_ms]
        rows.append(_latency_row(result.dataset.name, opened, "opening an image", targets=False))
    every = [value for result in results for value in result.warm("prediction_ms")]
    rows.append(_latency_row("all sets", every, "to prediction", targets=True))
    columns = ("set", "time", "count", "p50 ms", "p95 ms", "max ms", "verdict")
    return Section("Latency from the click, through HTTP", columns, tuple(rows))


def _latency_row(name: str, values: Sequence[float], what: str, *, targets: bool) -> tuple[str, ...]:
    if not values:
        return (name, what, "0", "-", "-", "-", "-")
    p50, p95 = (float(np.percentile(values, q)) for q in (50, 95))
    judged = (
        f"p50 {verdict(p50, P50_TARGET_MS, at_most=True)}, p95 {verdict(p95, P95_TARGET_MS, at_most=True)}"
        if targets
        else "-"
    )
    return (name, what, str(len(values)), f"{p50:.1f}", f"{p95:.1f}", f"{max(values):.1f}", judged)


def show(console: Console, tables: Sequence[Section]) -> None:
    """Print the tables."""
    for section in tables:
        table = Table(title=section.title)
        for column in section.columns:
            table.add_column(column)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def markdown(tables: Sequence[Section], facts: Sequence[tuple[str, str]]) -> str:
    """The tables and how they came to be, as Markdown."""
    lines = [f"- {name}: {value}" for name, value in facts]
    for section in tables:
        lines += ["", f"### {section.title}", "", _row(section.columns), _row(["---"] * len(section.columns))]
        lines += [_row(row) for row in section.rows]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write_between_marks(path: Path, text: str) -> None:
    """Replace what stands between the marks of a document; a document without marks gets them at its end."""
    document = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    if START_MARK not in document:
        document = f"{document.rstrip()}\n\n{START_MARK}\n{END_MARK}\n"
    before, rest = document.split(START_MARK, 1)
    after = rest.split(END_MARK, 1)[1]
    path.write_text(f"{before}{START_MARK}\n\n{text.strip()}\n\n{END_MARK}{after}", encoding="utf-8")


def machine() -> str:
    """The machine in words: processor, cores that this process may use, operating system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
