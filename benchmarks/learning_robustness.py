"""What heads make of labels as people set them: `python -m benchmarks.learning_robustness`.

The clicks of the simulated annotator are disturbed and learned by each head; they are the same for all, made with the
default. Held-out IoU, mean over sets and seeds. Beside: what one class alone, one point against a thousand, and fifty
classes do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from benchmarks.annotator import Click
from benchmarks.learning_peers import Peer, Points, robustness_peers
from benchmarks.learning_quality import MASKED_IMAGES, click_session, fit_clicks, held_out_iou, plan_of
from benchmarks.learning_sets import LearningSet, all_datasets, load_set
from benchmarks.tables import Section, show
from ml_service.heads.exclusive import fit_exclusive_head
from ml_service.heads.live import SEGMENTATION

Clicks = list[tuple[str, Click]]
Disturb = Callable[[LearningSet, Clicks, np.random.Generator], Clicks]

JITTER_SHARES = (0.005, 0.01)
"""Deviation of a click along either axis, of the image's longest side: about 2.5 and 5 px of 512."""
WRONG_SHARE = 0.05
REPEATED, CONTRADICTED = 3, 4
MANY_POINTS = 1000
CLASSES, CELLS_PER_CLASS = 50, 10


def tables(data: Path, seeds: int = 3, *, cache: Path | None = None, sets: Sequence[str] = ()) -> list[Section]:
    """Disturbed clicks; then extremes.

    Args:
        data: Folder with seg/.
        seeds: How many.
        cache: Where to keep features between runs; by default nowhere.
        sets: Names; by default all.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _tables(data, cache or Path(folder), range(seeds), sets)


def _tables(data_dir: Path, cache_dir: Path, seeds: Sequence[int], sets: Sequence[str]) -> list[Section]:
    datasets = [
        dataset
        for dataset in all_datasets(data_dir, cache_dir)
        if dataset.task == "segmentation" and (not sets or dataset.name in sets)
    ]
    loaded = [load_set(dataset, cache_dir, MASKED_IMAGES, filters=False) for dataset in datasets]
    return [disturbed_section(loaded, seeds), extremes_section(loaded)]


def disturbed_section(sets: Sequence[LearningSet], seeds: Sequence[int]) -> Section:
    """Held-out IoU of each head with each kind of disturbed clicks, and in brackets what was lost."""
    peers = robustness_peers()
    means = {
        name: [_mean_iou(sets, seeds, peer, disturb) for peer in peers] for name, disturb in disturbances().items()
    }
    clean = means["as set"]
    rows = tuple(
        (name, *(f"{value:.3f} ({value - before:+.3f})" for value, before in zip(values, clean, strict=True)))
        for name, values in means.items()
    )
    title = f"Held-out IoU with disturbed clicks, {len(sets)} sets, {len(seeds)} seeds"
    return Section(title, ("clicks", *(peer.name for peer in peers)), rows)


def disturbances() -> dict[str, Disturb]:
    """By name, from clicks as set to clicks as learned."""
    return {
        "as set": lambda _data, clicks, _rng: clicks,
        **{f"moved by {100 * share:g} % of the side": _jitter(share) for share in JITTER_SHARES},
        f"{100 * WRONG_SHARE:g} % wrong": _some_wrong,
        f"each {REPEATED} times": lambda _data, clicks, _rng: clicks * REPEATED,
        f"{CONTRADICTED} contradicted": _contradicted,
    }


def _jitter(share: float) -> Disturb:
    def disturb(data: LearningSet, clicks: Clicks, rng: np.random.Generator) -> Clicks:
        moved = []
        for name, click in clicks:
            height, width = data.masks[name].shape
            dx, dy = rng.normal(0, share * max(height, width), 2)
            x, y = float(np.clip(click.x + dx, 0, width)), float(np.clip(click.y + dy, 0, height))
            moved.append((name, replace(click, x=x, y=y)))
        return moved

    return disturb


def _some_wrong(_data: LearningSet, clicks: Clicks, rng: np.random.Generator) -> Clicks:
    """At least one, so that a set of 32 clicks is not spared."""
    wrong = set(rng.choice(len(clicks), max(1, round(WRONG_SHARE * len(clicks))), replace=False).tolist())
    return [(name, _turned(click) if index in wrong else click) for index, (name, click) in enumerate(clicks)]


def _contradicted(_data: LearningSet, clicks: Clicks, rng: np.random.Generator) -> Clicks:
    chosen = rng.choice(len(clicks), CONTRADICTED, replace=False)
    return clicks + [(clicks[index][0], _turned(clicks[index][1])) for index in chosen]


def _turned(click: Click) -> Click:
    return replace(click, foreground=not click.foreground)


def _mean_iou(sets: Sequence[LearningSet], seeds: Sequence[int], peer: Peer, disturb: Disturb) -> float:
    scores = []
    for data in sets:
        for seed in seeds:
            clicks = disturb(data, _clicks(data, seed), np.random.default_rng(seed))
            channels = data.channels[peer.channels]
            head = fit_clicks(data, channels, peer, clicks, seed)
            scores.append(held_out_iou(data, peer, head, plan_of(data, seed).held_out))
    return float(np.mean(scores))


def _clicks(data: LearningSet, seed: int) -> Clicks:
    """All clicks of a session with the default head."""
    return list([*click_session(data, robustness_peers()[0], seed)][-1][0])


def extremes_section(sets: Sequence[LearningSet]) -> Section:
    """One class, one against many, and many classes."""
    rows: list[tuple[str, ...]] = []
    rows.append(("highest probability after one class only", f"{_sureness_of_one_class(sets[0]):.2f}", "-", "-", "-"))
    peers = robustness_peers()
    one_to_many = [f"{np.mean([_one_against_many(data, peer) for data in sets]):.3f}" for peer in peers]
    rows.append((f"balanced accuracy, 1 point against {MANY_POINTS}", *one_to_many))
    many = [_many_classes(sets, peer) for peer in peers]
    rows.append((f"accuracy, {CLASSES} images told apart by their cells", *(f"{accuracy:.3f}" for accuracy, _ in many)))
    rows.append((f"seconds to learn them ({CLASSES * CELLS_PER_CLASS} points)", *(f"{spent:.2f}" for _, spent in many)))
    return Section("Extremes", ("", *(peer.name for peer in peers)), tuple(rows))


def _sureness_of_one_class(data: LearningSet) -> float:
    deep = data.channels["deep"]
    grid = next(iter(deep.rows.values()))
    head = fit_exclusive_head(
        grid[::20, 10], np.zeros(len(grid[::20]), int), None, 2, scaler=deep.scaler, config=SEGMENTATION
    )
    return float(head.probabilities(grid).max())


def _one_against_many(data: LearningSet, peer: Peer) -> float:
    """Mean share of cells that are right, of foreground and of background, after one point of foreground."""
    rng = np.random.default_rng(0)
    channels = data.channels[peer.channels]
    cells, truth = _cells(data, peer.channels)
    foreground, background = np.flatnonzero(truth), np.flatnonzero(~truth)
    taken = np.append(rng.choice(background, MANY_POINTS, replace=False), rng.choice(foreground))
    head = peer.fit(Points(cells[taken], truth[taken].astype(np.int64)), channels, 2, 0)
    other = np.concatenate([rng.choice(part, 1000) for part in (foreground, background)])
    right = (head(cells[other]).argmax(axis=1) == 1) == truth[other]
    return float(right.mean())


def _cells(data: LearningSet, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (M, D) and truth (M,) of every cell of all images."""
    rows, truths = [], []
    for name, grid in data.channels[kind].rows.items():
        size = (grid.shape[1], grid.shape[0])
        mask = cv2.resize(data.masks[name].astype(np.float32), size, interpolation=cv2.INTER_AREA)
        rows.append(grid.reshape(-1, grid.shape[2])[::7])
        truths.append(mask.ravel()[::7] > 0.5)
    return np.concatenate(rows), np.concatenate(truths)


def _many_classes(sets: Sequence[LearningSet], peer: Peer) -> tuple[float, float]:
    """Which image does a cell come from? Accuracy, and the time of the fit."""
    rng = np.random.default_rng(0)
    grids = [grid for data in sets for grid in data.channels[peer.channels].rows.values()][:: max(1, len(sets) // 3)]
    grids = grids[:CLASSES]
    picked = [
        grid.reshape(-1, grid.shape[2])[rng.choice(grid.shape[0] * grid.shape[1], 60, replace=False)] for grid in grids
    ]
    labels = np.repeat(np.arange(len(grids)), CELLS_PER_CLASS)
    started = time.perf_counter()
    learned = Points(np.concatenate([cells[:CELLS_PER_CLASS] for cells in picked]), labels)
    head = peer.fit(learned, sets[0].channels[peer.channels], len(grids), 0)
    spent = time.perf_counter() - started
    accuracy = [(head(cells[CELLS_PER_CLASS:]).argmax(axis=1) == index).mean() for index, cells in enumerate(picked)]
    return float(np.mean(accuracy)), spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/ and cls/")
    parser.add_argument("--cache", type=Path, help="where to keep features between runs; by default nowhere")
    parser.add_argument("--sets", nargs="*", default=[], metavar="NAME", help="by default all")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    show(Console(width=200), tables(arguments.data, arguments.seeds, cache=arguments.cache, sets=arguments.sets))


if __name__ == "__main__":
    main()
