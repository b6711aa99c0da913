"""What people do to masks: take one connected part, fill holes, go over to outlines. NumPy and OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.raster_spans import Floats
from models.region_shapes import Bools

Outline = tuple[Floats, tuple[Floats, ...]]
"""The outer ring (N, 2) of a connected part, and those of its holes; pixels of the image."""


def connected_part(pixels: Bools, column: int, row: int) -> Bools:
    """The part of a mask (H, W) that hangs together, edge by edge, with a pixel of it."""
    canvas = pixels.astype(np.uint8)
    cv2.floodFill(canvas, None, (column, row), (2,), flags=4)
    return np.asarray(canvas == 2)


def without_holes(pixels: Bools) -> Bools:
    """A mask (H, W) with what it encloses; what touches the border of the array is not enclosed."""
    outside = np.pad((~pixels).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(outside, None, (0, 0), (2,), flags=8)
    return np.asarray(outside[1:-1, 1:-1] != 2)


def outlines(pixels: Bools, left: int = 0, top: int = 0) -> Iterator[Outline]:
    """Each connected part of a mask (H, W) whose first pixel is at (left, top), as rings.

    Painted by the rule of models/region_shapes.py, inside an odd number of rings, they are the same pixels: the lines
    run a quarter of a pixel inside of the edge.
    """
    doubled = pixels.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    rings, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    placed = [_placed(np.asarray(ring), left, top) for ring in rings]
    for index, ring in enumerate(placed):
        _following, _before, hole, parent = hierarchy[0][index]
        if parent >= 0:
            continue
        holes = []
        while hole >= 0:
            holes.append(placed[hole])
            hole = hierarchy[0][hole][0]
        yield ring, tuple(holes)


def bridged(outline: Outline) -> Floats:
    """An outline as one ring (N, 2), for formats that know no holes: a line to each hole and back on the same way."""
    ring, holes = outline
    for hole in holes:
        # Near enough, and not the nearest of all pairs: outlines of predictions have tens of thousands of corners.
        near = _nearest(ring, hole[0])
        far = _nearest(hole, ring[near])
        turned = np.concatenate([hole[far:], hole[: far + 1]])
        ring = np.concatenate([ring[: near + 1], turned, ring[near:]])
    return ring


def _nearest(corners: Floats, place: Floats) -> int:
    return int(((corners - place) ** 2).sum(axis=1).argmin())


def _placed(ring: npt.NDArray[Any], left: int, top: int) -> Floats:
    return np.asarray((ring.reshape(-1, 2) + 0.5) / 2 + (left, top), dtype=np.float64)
