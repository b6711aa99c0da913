"""Quality per click of the live head and its peers: `python -m benchmarks.learning_quality`.

No server: the annotator of the robot clicks where the head under test errs most, the head learns after each click, and
images never clicked are scored. Every row sees the same images and seeds. Rows of refined masks are clicked and scored
on masks that follow the edges of the full picture, as the page shows them; all others on plainly upsampled ones.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.annotator import Click, ImagePlan, Mask, iou, next_click, plan_classification, plan_segmentation
from benchmarks.datasets import Dataset
from benchmarks.learning_outcomes import CHECKPOINTS, LEAD_OVER_FILTERS, Outcome, section_of_outcomes, target_section
from benchmarks.learning_peers import Peer, Points, Scores, classification_peers, segmentation_peers
from benchmarks.learning_sets import (
    Channels,
    FloatArray,
    LearningSet,
    all_datasets,
    load_set,
    reduced,
)
from benchmarks.tables import Section, show
from models.guide import make_guide
from models.refinement import Clicks, fit_refinement

CLICKS_PER_IMAGE = 4
HELD_OUT_IMAGES = 12
MASKED_IMAGES, CLASSIFIED_IMAGES = 20, 200
"""At most so many of each set."""
LABELS_PER_CLASS = 5


def simulate(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    """Held-out IoU or accuracy at each of `CHECKPOINTS`; in classification then after `LABELS_PER_CLASS` rounds."""
    return _click_through(data, peer, seed) if data.is_segmentation else _label_through(data, peer, seed)


def _click_through(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    results = []
    for index, (_, scores) in enumerate(click_session(data, peer, seed)):
        if CLICKS_PER_IMAGE * (index + 1) in CHECKPOINTS:
            results.append(held_out_iou(data, peer, scores, plan_of(data, seed).held_out))
    return results


def plan_of(data: LearningSet, seed: int) -> ImagePlan:
    """Which images of a segmentation set are clicked, and which are scored."""
    return plan_segmentation(list(data.masks), seed, CHECKPOINTS[-1] // CLICKS_PER_IMAGE, HELD_OUT_IMAGES)


def click_session(data: LearningSet, peer: Peer, seed: int) -> Iterator[tuple[list[tuple[str, Click]], Scores | None]]:
    """After each image: all clicks so far, by name of the image, and the head fitted to them."""
    channels = data.channels[peer.channels]
    made: list[tuple[str, Click]] = []
    scores: Scores | None = None
    for name in plan_of(data, seed).labelled:
        earlier: list[Click] = []
        for _ in range(CLICKS_PER_IMAGE):
            predicted = None if scores is None else predict(data, peer, scores, name, earlier)
            click = next_click(data.masks[name], predicted, earlier)
            if click is not None:
                earlier.append(click)
                made.append((name, click))
                scores = fit_clicks(data, channels, peer, made, seed)
        yield made, scores


def held_out_iou(data: LearningSet, peer: Peer, scores: Scores | None, names: Sequence[str]) -> float:
    """Mean over the images named."""
    if scores is None:
        return 0.0
    return float(np.mean([iou(data.masks[name], predict(data, peer, scores, name)) for name in names]))


def fit_clicks(
    data: LearningSet, channels: Channels, peer: Peer, made: Sequence[tuple[str, Click]], seed: int
) -> Scores | None:
    """The head of these clicks; None while they are of one class."""
    classes = np.array([click.foreground for _, click in made], dtype=np.int64)
    if len(set(classes.tolist())) < 2:
        return None
    rows = np.stack([_at(channels.rows[name], *_on_grid(data, channels, name, click)) for name, click in made])
    return peer.fit(Points(rows, classes), channels, 2, seed)


def _on_grid(data: LearningSet, channels: Channels, name: str, click: Click) -> tuple[float, float]:
    """(u, v) in cells, 0.5 is the centre of the first one."""
    height, width = data.masks[name].shape
    rows, columns = channels.rows[name].shape[:2]
    return click.x * columns / width, click.y * rows / height


def _at(grid: FloatArray, u: float, v: float) -> FloatArray:
    """Features (D,) at a place, bilinear between cells."""
    left = int(np.clip(np.floor(u - 0.5), 0, grid.shape[1] - 2))
    top = int(np.clip(np.floor(v - 0.5), 0, grid.shape[0] - 2))
    right, down = np.clip(u - 0.5 - left, 0, 1), np.clip(v - 0.5 - top, 0, 1)
    corners = grid[top : top + 2, left : left + 2]
    rows = corners[0] * (1 - down) + corners[1] * down
    return np.asarray(rows[0] * (1 - right) + rows[1] * right, dtype=np.float32)


def predict(data: LearningSet, peer: Peer, scores: Scores, name: str, earlier: Sequence[Click] = ()) -> Mask:
    """(H, W) foreground, from scores enlarged to the truth; refined masks respect the clicks in this image."""
    found = scores(data.channels[peer.channels].rows[name])
    if peer.is_refined:
        return _refined(data, found, name, earlier)
    height, width = data.masks[name].shape
    plane = np.ascontiguousarray(found[..., 1] - found[..., 0], dtype=np.float32)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) > 0)


def _refined(data: LearningSet, logits: FloatArray, name: str, earlier: Sequence[Click]) -> Mask:
    picture = data.pictures[name]
    height, width = data.masks[name].shape
    factor = np.divide(picture.shape[1::-1], (width, height))
    xy = np.array([(click.x, click.y) for click in earlier]).reshape(-1, 2) * factor
    clicks = Clicks(xy, np.array([click.foreground for click in earlier], np.intp))
    refinement = fit_refinement(np.moveaxis(logits, -1, 0), make_guide(picture, logits.shape[:2]), clicks)
    return reduced(refinement.label_map() == 1, width, height)


def _label_through(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    channels = data.channels[peer.channels]
    plan = plan_classification(data.class_of, seed, max(LABELS_PER_CLASS, CHECKPOINTS[-1] // len(data.class_names)))
    held_out = np.stack([channels.rows[name] for name in plan.held_out])
    truth = _class_indices(data, plan.held_out)
    results = []
    for count in (*CHECKPOINTS, LABELS_PER_CLASS * len(data.class_names)):
        names = plan.labelled[:count]
        rows = np.stack([channels.rows[name] for name in names])
        scores = peer.fit(Points(rows, _class_indices(data, names)), channels, len(data.class_names), seed)
        results.append(float((scores(held_out).argmax(axis=-1) == truth).mean()))
    return results


def _class_indices(data: LearningSet, names: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.array([data.class_names.index(data.class_of[name]) for name in names], dtype=np.int64)


def outcomes(
    data_dir: Path,
    cache_dir: Path,
    seeds: Sequence[int],
    sets: Sequence[str] = (),
    heads: Sequence[str] = (),
    *,
    workers: int = 2,
) -> tuple[list[Outcome], list[Outcome]]:
    """Of segmentation and of classification, the rows named (or all) on every set; processes share the sets."""
    chosen = [d for d in all_datasets(data_dir, cache_dir) if not sets or d.name in sets]
    parts: tuple[list[Outcome], list[Outcome]] = ([], [])
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        jobs = [
            (dataset, pool.submit(_outcomes_of, dataset, cache_dir, tuple(seeds), tuple(heads))) for dataset in chosen
        ]
        for dataset, job in jobs:
            parts[0 if dataset.task == "segmentation" else 1].extend(job.result())
    return parts


def _one_thread() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threadpool_limits(1)


def _outcomes_of(dataset: Dataset, cache_dir: Path, seeds: Sequence[int], heads: Sequence[str]) -> list[Outcome]:
    data = load_set(dataset, cache_dir, MASKED_IMAGES if dataset.task == "segmentation" else CLASSIFIED_IMAGES)
    peers = segmentation_peers() if data.is_segmentation else classification_peers()
    return [
        Outcome(dataset.name, peer.name, np.array([simulate(data, peer, seed) for seed in seeds]))
        for peer in peers
        if not heads or peer.name in heads
    ]


def tables(
    data: Path,
    seeds: int = 3,
    *,
    cache: Path | None = None,
    sets: Sequence[str] = (),
    heads: Sequence[str] = (),
) -> list[Section]:
    """Quality per click: a table and its targets for segmentation sets, and for classification sets.

    Args:
        data: Folder with seg/ and cls/.
        seeds: How many.
        cache: Where to keep features between runs; by default nowhere.
        sets: Names; by default all.
        heads: Names of rows; by default all.
    """
    with tempfile.TemporaryDirectory() as folder:
        workers = min(2, os.cpu_count() or 1)
        masks, classes = outcomes(data, cache or Path(folder), range(seeds), sets, heads, workers=workers)
    return sections_of(masks, classes, seeds)


def sections_of(masks: Sequence[Outcome], classes: Sequence[Outcome], seeds: int) -> list[Section]:
    """The tables of what was measured on segmentation and on classification sets."""
    clicks = [f"{count} clicks" for count in CHECKPOINTS]
    labels = [f"{count} labels" for count in CHECKPOINTS] + [f"{LABELS_PER_CLASS} a class"]
    sections = []
    if masks:
        title = f"IoU on held-out images after {CHECKPOINTS[-1]} clicks, {seeds} seeds, plain upsampling unless refined"
        sections.append(section_of_outcomes(title, masks, clicks))
        sections.append(target_section(f"Targets after {CHECKPOINTS[-1]} clicks", masks, LEAD_OVER_FILTERS))
    if classes:
        title = f"Accuracy after {LABELS_PER_CLASS} labels a class, {seeds} seeds"
        sections.append(section_of_outcomes(title, classes, labels))
        sections.append(target_section(f"Targets after {LABELS_PER_CLASS} labels a class", classes, 0))
    return sections


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/ and cls/")
    parser.add_argument("--cache", type=Path, help="where to keep features between runs; by default nowhere")
    parser.add_argument("--sets", nargs="*", default=[], metavar="NAME", help="by default all")
    parser.add_argument("--heads", nargs="*", default=[], metavar="ROW", help="names of rows; by default all")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    chosen = {"sets": arguments.sets, "heads": arguments.heads}
    show(Console(width=240), tables(arguments.data, arguments.seeds, cache=arguments.cache, **chosen))


if __name__ == "__main__":
    main()
