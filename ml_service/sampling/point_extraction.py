"""Points from a prediction: pixels of which the head is sure, denser where the map changes, spread out evenly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

EAGER_SHARE = 64
"""Candidates per wanted point that are put in order first; the others only where those do not suffice."""


@dataclass(frozen=True)
class ExtractionSettings:
    """How many points, and which."""

    max_points: int
    """Of all classes together; each class gets an equal share."""
    confidence_threshold: float
    """A pixel is a candidate of a class whose probability is above 1 - this."""
    min_distance: float
    """Between any two points, pixels of the map."""
    gradient_weight: float
    """Weight of a candidate = probability + gradient_weight x Sobel magnitude of the map, scaled to 0..1."""


@dataclass(frozen=True)
class ExtractedPoint:
    """A point at a pixel's centre, in pixels of the map."""

    x: float
    y: float
    class_index: int


def extract_points(
    probabilities: npt.NDArray[np.float32],
    settings: ExtractionSettings,
    *,
    occupied: npt.NDArray[np.float64],
    covered: npt.NDArray[np.bool_] | None = None,
    seed: int,
) -> list[ExtractedPoint]:
    """Weighted Poisson-disk sampling of each class in turn; the same arguments give the same points.

    Args:
        probabilities: (K, H, W).
        occupied: (N, 2) points as (x, y) that stay where they are: nothing is extracted closer than min_distance.
        covered: (H, W), where nothing is extracted; None for nowhere.

    Returns:
        At most max_points // K points a class, those of a class in the order of being drawn.
    """
    class_count, height, width = probabilities.shape
    random = np.random.default_rng(seed)
    blocked = np.zeros((height, width), dtype=bool) if covered is None else covered.copy()
    disk = _Disk(settings.min_distance)
    for x, y in occupied:
        disk.stamp(blocked, min(int(x), width - 1), min(int(y), height - 1))
    points: list[ExtractedPoint] = []
    for class_index in range(class_count):
        rows, columns, weights = _candidates(probabilities[class_index], settings)
        # A smaller key is drawn sooner: exponential waiting times make the order that of weighted sampling without
        # replacement (Efraimidis and Spirakis, 2006).
        keys = random.exponential(size=weights.size) / weights
        chosen = _choose(keys, rows, columns, blocked, disk, settings.max_points // class_count)
        points += [ExtractedPoint(float(column) + 0.5, float(row) + 0.5, class_index) for row, column in chosen]
    return points


def _candidates(
    probability: npt.NDArray[np.float32], settings: ExtractionSettings
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Rows, columns and weights of the pixels that the class may get."""
    rows, columns = np.nonzero(probability > 1 - settings.confidence_threshold)
    gradient = cv2.magnitude(
        cv2.Sobel(probability, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE),
        cv2.Sobel(probability, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE),
    )
    steepest = float(gradient.max())
    scale = settings.gradient_weight / steepest if steepest > 0 else 0.0
    weights = probability[rows, columns] + scale * gradient[rows, columns]
    return rows, columns, weights.astype(np.float64)


def _choose(
    keys: npt.NDArray[np.float64],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    blocked: npt.NDArray[np.bool_],
    disk: _Disk,
    limit: int,
) -> list[tuple[int, int]]:
    """The first `limit` candidates in order of their keys that lie on free ground; marks the ground around them."""
    chosen: list[tuple[int, int]] = []
    eager = min(keys.size, EAGER_SHARE * limit)
    if eager == 0:
        return chosen
    parts = np.argpartition(keys, eager - 1)
    for part in (parts[:eager], parts[eager:]):
        free = part[~blocked[rows[part], columns[part]]]
        for index in free[np.argsort(keys[free], kind="stable")]:
            if len(chosen) == limit:
                return chosen
            row, column = int(rows[index]), int(columns[index])
            if not blocked[row, column]:
                disk.stamp(blocked, column, row)
                chosen.append((row, column))
    return chosen


class _Disk:
    """The pixels closer than a distance to a pixel, that one included."""

    def __init__(self, distance: float) -> None:
        # No picture is larger than this; it keeps an absurd distance from asking for absurd memory.
        self.radius = max(0, int(np.ceil(min(distance, 4096.0))) - 1)
        offsets = np.arange(-self.radius, self.radius + 1)
        self.mask = (offsets[:, None] ** 2 + offsets[None, :] ** 2) < max(distance, 1.0) ** 2

    def stamp(self, blocked: npt.NDArray[np.bool_], column: int, row: int) -> None:
        """Mark the disk around a pixel."""
        height, width = blocked.shape
        radius = self.radius
        top, bottom = max(0, row - radius), min(height, row + radius + 1)
        left, right = max(0, column - radius), min(width, column + radius + 1)
        part = self.mask[top - row + radius : bottom - row + radius, left - column + radius : right - column + radius]
        blocked[top:bottom, left:right] |= part
