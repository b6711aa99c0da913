"""What the simulated annotator decides: where to click, and which images to label in which order.

Masks are (H, W) bool on the pixels of the upright image. A click is the centre of a pixel: x = column + 0.5.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
AVOID_FRACTION = 0.01
"""Radius around earlier clicks, as a fraction of the longest side, in which nobody clicks again."""


@dataclass(frozen=True)
class Click:
    """One point and what the truth says there."""

    x: float
    y: float
    foreground: bool


def next_click(truth: Mask, predicted: Mask | None, earlier: Sequence[Click]) -> Click | None:
    """The click that a person would set next; None where nothing is left to correct.

    Without a prediction: the deepest foreground point, then the deepest background point. With one: the centre of the
    largest error region.
    """
    free = _free(truth.shape, earlier)
    if predicted is None:
        wanted = not any(click.foreground for click in earlier)
        position = deepest_point((truth == wanted) & free)
        if position is None:
            position = deepest_point((truth != wanted) & free)
    else:
        position = deepest_point(largest_region(truth & ~predicted & free, ~truth & predicted & free))
    if position is None:
        return None
    row, column = position
    return Click(x=column + 0.5, y=row + 0.5, foreground=bool(truth[row, column]))


def largest_region(*masks: Mask) -> Mask:
    """The connected region with the most pixels (4-neighbourhood) among all masks; empty if all are."""
    best, best_size = np.zeros_like(masks[0]), 0
    for mask in masks:
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        if count > 1:
            sizes = statistics[1:, cv2.CC_STAT_AREA]
            if sizes.max() > best_size:
                best, best_size = labels == sizes.argmax() + 1, int(sizes.max())
    return best


def deepest_point(region: Mask) -> tuple[int, int] | None:
    """(row, column) of the pixel farthest from the region's border, the image border included; None if empty."""
    if not region.any():
        return None
    # Padded, so that the image border counts as a border of the region.
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), region.shape)
    return int(row), int(column)


def _free(shape: tuple[int, ...], earlier: Sequence[Click]) -> Mask:
    """Pixels where no click was set nearby."""
    radius = max(2.0, AVOID_FRACTION * max(shape))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    free = np.ones(shape, dtype=np.bool_)
    for click in earlier:
        free &= (rows + 0.5 - click.y) ** 2 + (columns + 0.5 - click.x) ** 2 > radius**2
    return free


def iou(truth: Mask, predicted: Mask) -> float:
    """Intersection over union of the foreground of one image; 1 where both are empty."""
    union = int((truth | predicted).sum())
    return 1.0 if union == 0 else int((truth & predicted).sum()) / union


@dataclass(frozen=True)
class ImagePlan:
    """Which images are labelled, in this order, and which are only looked at."""

    labelled: tuple[str, ...]
    held_out: tuple[str, ...]


def plan_segmentation(names: Sequence[str], seed: int, images: int, held_out: int) -> ImagePlan:
    """A seeded random order: the first are labelled, at most `held_out` of the others are held out."""
    order = random.Random(seed).sample(sorted(names), len(names))
    return ImagePlan(tuple(order[:images]), tuple(order[images : images + held_out]))


def plan_classification(class_of: Mapping[str, str], seed: int, per_class: int) -> ImagePlan:
    """`per_class` rounds, each with one image of every class in a new random order; all other images are held out."""
    rng = random.Random(seed)
    pools = {
        name: rng.sample(members, len(members))
        for name in sorted(set(class_of.values()))
        for members in [sorted(image for image, class_name in class_of.items() if class_name == name)]
    }
    labelled: list[str] = []
    for round_index in range(per_class):
        for name in rng.sample(sorted(pools), len(pools)):
            if round_index < len(pools[name]):
                labelled.append(pools[name][round_index])
    return ImagePlan(tuple(labelled), tuple(sorted(set(class_of) - set(labelled))))
