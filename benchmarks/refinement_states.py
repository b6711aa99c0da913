"""What the head says in the course of a simulated labelling, for whoever judges how maps are enlarged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

from benchmarks.annotator import Click, Mask, next_click, plan_segmentation
from benchmarks.datasets import Dataset
from benchmarks.learning_sets import Channels
from ml_service.heads.live import SEGMENTATION, LiveHead
from models.geometry import resample, sample_bilinear, scale_between
from models.refinement import Clicks

FloatArray = npt.NDArray[np.float32]

LABELLED, CLICKS_PER_IMAGE, HELD_OUT, CLICKED = 8, 4, 4, 2
STATES = (8, 32)
"""Numbers of clicks after which there is a look."""


def drawn_lines(folder: Path, count: int = 24, side: int = 400) -> Dataset:
    """Dark curves, one to four pixels wide, on textures that ship inside scikit-image: as cracks and vessels."""
    rng = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    textures = [getattr(skimage.data, name)() for name in ("brick", "gravel", "grass", "moon")]
    for index in range(count):
        texture = textures[index % len(textures)]
        top, left = (int(rng.integers(0, size - side + 1)) for size in texture.shape)
        ground = np.repeat(texture[top : top + side, left : left + side, None], 3, axis=2).astype(np.float32)
        share = _curves(rng, side)[..., None]
        pixels = ground * (1 - 0.8 * share) + 0.8 * share * np.array([30, 25, 25]) + rng.normal(0, 4, ground.shape)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "images" / f"{index:02d}.png")
        Image.fromarray((share[..., 0] > 0.5).astype(np.uint8) * 255).save(folder / "masks" / f"{index:02d}.png")
    return Dataset("drawn lines", "segmentation", folder / "images", ("foreground", "background"))


def _curves(rng: np.random.Generator, side: int) -> FloatArray:
    """Share (side, side) of each pixel that a few random curves cover."""
    fine = np.zeros((4 * side, 4 * side), np.uint8)
    for _ in range(int(rng.integers(2, 5))):
        angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, 80))
        steps = 24 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = rng.uniform(0.1, 0.9, 2) * 4 * side + np.cumsum(steps, axis=0)
        cv2.polylines(fine, [points.astype(np.int32)], isClosed=False, color=1, thickness=int(rng.integers(5, 15)))
    return np.asarray(fine.reshape(side, 4, side, 4).mean(axis=(1, 3)), dtype=np.float32)


def pooled_cells(grid: FloatArray, factor: int) -> FloatArray:
    """Means of factor x factor cells; what is left over at the border is stretched away, less than a cell."""
    size = (max(1, grid.shape[1] // factor), max(1, grid.shape[0] // factor))
    planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in np.moveaxis(grid, -1, 0).copy()]
    return np.ascontiguousarray(np.stack(planes, axis=-1), dtype=np.float32)


@dataclass(frozen=True)
class State:
    """What the head says of an image at some moment."""

    name: str
    logits: FloatArray
    """(2, Hp, Wp), the foreground first."""
    clicks: Clicks
    n_clicks: int
    was_clicked: bool


def states(channels: Channels, truths: dict[str, Mask], seed: int) -> Iterator[State]:
    plan = plan_segmentation(list(truths), seed, LABELLED, HELD_OUT)
    made: list[tuple[str, Click]] = []
    head: LiveHead | None = None
    for number, name in enumerate(plan.labelled, start=1):
        for _ in range(CLICKS_PER_IMAGE):
            click = next_click(truths[name], _predicted(head, channels.rows[name], truths[name]), _of(made, name))
            if click is not None:
                made.append((name, click))
                head = _fit(channels, truths, made)
        if head is not None and number * CLICKS_PER_IMAGE in STATES:
            for shown in (*plan.labelled[:CLICKED], *plan.held_out):
                logits = np.ascontiguousarray(np.moveaxis(head.logits(channels.rows[shown]), -1, 0))
                clicks = _as_clicks(_of(made, shown))
                yield State(shown, logits, clicks, number * CLICKS_PER_IMAGE, shown not in plan.held_out)


def _of(made: Sequence[tuple[str, Click]], name: str) -> list[Click]:
    return [click for image, click in made if image == name]


def _as_clicks(clicks: Sequence[Click]) -> Clicks:
    xy = np.array([(click.x, click.y) for click in clicks], np.float64).reshape(-1, 2)
    return Clicks(xy, np.array([0 if click.foreground else 1 for click in clicks], np.intp))


def _predicted(head: LiveHead | None, grid: FloatArray, truth: Mask) -> Mask | None:
    if head is None:
        return None
    logits = head.logits(grid)
    return np.asarray(
        resample(np.ascontiguousarray(logits[..., 0] - logits[..., 1]), truth.shape[1], truth.shape[0]) > 0
    )


def _fit(channels: Channels, truths: dict[str, Mask], made: Sequence[tuple[str, Click]]) -> LiveHead | None:
    classes = np.array([0 if click.foreground else 1 for _, click in made], dtype=np.int64)
    if len(np.unique(classes)) < 2:
        return None
    samples = []
    for name, click in made:
        height, width = truths[name].shape
        rows, columns = channels.rows[name].shape[:2]
        uv = np.array([[click.x, click.y]]) * scale_between((width, height), (columns, rows))
        samples.append(sample_bilinear(channels.rows[name], uv)[0])
    return LiveHead.fit(np.stack(samples), classes, None, 2, scaler=channels.scaler, config=SEGMENTATION)
