"""Where accepted regions go among those there are: below what people drew, above what they erased before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.enums import RegionOrigin
from models.region_shapes import compose, shape_of

RegionJson = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A place in the order of regions."""

    below: frozenset[int]
    """Ids of the regions that lie on top of it."""
    covered: npt.NDArray[np.bool_] | None
    """(H, W): pixels of regions beneath it that must stay as they are; None if there are none."""


def is_drawn(region: RegionJson) -> bool:
    """Whether a person drew what the region shows; an eraser shows nothing."""
    return region["origin"] == RegionOrigin.HUMAN and region["class_id"] is not None


def place_below(regions: Sequence[RegionJson], wins: Callable[[RegionJson], bool], width: int, height: int) -> Place:
    """The highest place under all that wins.

    An eraser removes all that lies below it, so the place is above every one of them; what wins below one is cut out.

    Args:
        regions: In their order, with their geometry.
        wins: Of a region with a class.
    """
    first_above = len(regions)
    while first_above > 0 and wins(regions[first_above - 1]):
        first_above -= 1
    beneath = regions[:first_above]
    below = frozenset(region["id"] for region in regions[first_above:])
    if not any(wins(region) for region in beneath):
        return Place(below, None)
    painted = ((shape_of(r["kind"], r["geometry"]), int(wins(r))) for r in beneath)
    return Place(below, compose(painted, width, height) > 0)
