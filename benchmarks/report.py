"""What the robot measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.datasets import Dataset
from benchmarks.runs import SeedResult
from benchmarks.tables import Section

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
