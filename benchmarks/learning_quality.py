"""Quality per click of the live head and its peers: `python -m benchmarks.learning_quality`.

No server: the annotator of the robot clicks where the head under test errs most, the head learns after each click, and
images never clicked are scored. Every row sees the same images and seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.annotator import Click, Mask, iou, next_click, plan_classification, plan_segmentation
from benchmarks.learning_sets import Channels, LearningSet

FloatArray = npt.NDArray[np.float32]
Scores = Callable[[FloatArray], FloatArray]
"""Raw features (..., D) -> scores (..., K); the largest wins."""

CLICKS_PER_IMAGE = 4
HELD_OUT_IMAGES = 12
CHECKPOINTS = (4, 8, 16, 32)
LABELS_PER_CLASS = 5


@dataclass(frozen=True)
class Points:
    """What was labelled so far."""

    rows: FloatArray
    """(N, D), raw features."""
    classes: npt.NDArray[np.int64]
    """(N,)"""
    images: tuple[str, ...]
    """Name of the image of each point."""
    uv: FloatArray
    """(N, 2), where on the grid, cells; of no meaning in classification."""


@dataclass(frozen=True)
class Peer:
    """One way to learn."""

    name: str
    channels: str
    """Which of `LearningSet.channels`."""
    fit: Callable[[Points, Channels, int, int], Scores]
    """points with at least two classes, their channels, number of classes, seed -> the head."""


def simulate(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    """Held-out IoU or accuracy at each of `CHECKPOINTS`; in classification then after `LABELS_PER_CLASS` rounds."""
    return _click_through(data, peer, seed) if data.is_segmentation else _label_through(data, peer, seed)


def _click_through(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    channels = data.channels[peer.channels]
    n_labelled = CHECKPOINTS[-1] // CLICKS_PER_IMAGE
    plan = plan_segmentation(list(data.masks), seed, n_labelled, HELD_OUT_IMAGES)
    made: list[tuple[str, Click]] = []
    scores: Scores | None = None
    results = []
    for name in plan.labelled:
        earlier: list[Click] = []
        for _ in range(CLICKS_PER_IMAGE):
            predicted = None if scores is None else predict(data, channels, scores, name)
            click = next_click(data.masks[name], predicted, earlier)
            if click is not None:
                earlier.append(click)
                made.append((name, click))
                scores = _fit(data, channels, peer, made, seed)
        if _is_checkpoint(plan.labelled.index(name)):
            results.append(_held_out_iou(data, channels, scores, plan.held_out))
    return results


def _is_checkpoint(image_index: int) -> bool:
    return CLICKS_PER_IMAGE * (image_index + 1) in CHECKPOINTS


def _held_out_iou(data: LearningSet, channels: Channels, scores: Scores | None, names: Sequence[str]) -> float:
    if scores is None:
        return 0.0
    return float(np.mean([iou(data.masks[name], predict(data, channels, scores, name)) for name in names]))


def _fit(
    data: LearningSet, channels: Channels, peer: Peer, made: Sequence[tuple[str, Click]], seed: int
) -> Scores | None:
    classes = np.array([click.foreground for _, click in made], dtype=np.int64)
    if len(set(classes.tolist())) < 2:
        return None
    uv = np.array([_on_grid(data, channels, name, click) for name, click in made], np.float32)
    rows = np.stack([_at(channels.rows[name], *at) for (name, _), at in zip(made, uv, strict=True)])
    return peer.fit(Points(rows, classes, tuple(name for name, _ in made), uv), channels, 2, seed)


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


def predict(data: LearningSet, channels: Channels, scores: Scores, name: str) -> Mask:
    """(H, W) foreground, from scores upsampled to the truth."""
    margin = scores(channels.rows[name])
    height, width = data.masks[name].shape
    plane = np.ascontiguousarray(margin[..., 1] - margin[..., 0], dtype=np.float32)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) > 0)


def _label_through(data: LearningSet, peer: Peer, seed: int) -> list[float]:
    channels = data.channels[peer.channels]
    plan = plan_classification(data.class_of, seed, max(LABELS_PER_CLASS, CHECKPOINTS[-1] // len(data.class_names)))
    held_out = np.stack([channels.rows[name] for name in plan.held_out])
    truth = _class_indices(data, plan.held_out)
    results = []
    for count in (*CHECKPOINTS, LABELS_PER_CLASS * len(data.class_names)):
        names = plan.labelled[:count]
        rows = np.stack([channels.rows[name] for name in names])
        points = Points(rows, _class_indices(data, names), tuple(names), np.zeros((len(names), 2), np.float32))
        scores = peer.fit(points, channels, len(data.class_names), seed)
        results.append(float((scores(held_out).argmax(axis=-1) == truth).mean()))
    return results


def _class_indices(data: LearningSet, names: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.array([data.class_names.index(data.class_of[name]) for name in names], dtype=np.int64)
