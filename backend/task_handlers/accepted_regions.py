"""Regions of an image made of its prediction: all that it shows, or the one at a place, right or corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from backend.task_handlers.base import PredictedImage
from backend.task_handlers.region_order import Place, RegionJson, is_drawn, place_below
from db.enums import RegionKind, RegionOrigin
from db.errors import ConflictError, InvalidInputError
from db.queries.regions import NewRegion, NewShape, RegionEdit
from models.region_shapes import mask_of
from models.region_tools import connected_part, without_holes


def accepted_regions(source: PredictedImage) -> RegionEdit:
    """What an acceptance does to the regions of the image.

    The whole prediction becomes a mask for each class, in place of what was accepted as a whole before and below what
    people drew, corrected or accepted one by one. A single region goes below what people drew. What was erased before
    is filled either way.

    Raises:
        ConflictError: the prediction is no base for it.
        InvalidInputError: a place outside of the image.
    """
    require_two_classes(source)
    assert source.read_label_map is not None
    indices, class_ids = source.read_label_map()
    height, width = indices.shape
    regions = source.annotation["regions"]
    if source.wanted.x is not None and source.wanted.y is not None:
        part = _region_at(source, indices, class_ids, source.wanted.x, source.wanted.y)
        place = place_below(regions, is_drawn, width, height)
        shown = _cut(part.pixels, place)
        if not shown.any():
            # All of it is drawn over: said none the less, and seen if what is drawn goes.
            return RegionEdit(add=_masks([part]), below=[region["id"] for region in regions])
        return RegionEdit(add=_masks([replace(part, pixels=shown)]), below=place.below)
    parts = [_Part(indices == index, class_id, RegionOrigin.ACCEPTED) for index, class_id in enumerate(class_ids)]
    # A mask of all pixels would hide the new ones, whichever way it came.
    everything = mask_of(np.ones(indices.shape, dtype=bool))
    assert everything is not None
    earlier = [
        region["id"]
        for region in regions
        if region["origin"] == RegionOrigin.ACCEPTED
        and (region["id"] not in source.accepted_one_by_one or region["geometry"] == everything.to_json())
    ]
    place = place_below([region for region in regions if region["id"] not in earlier], _is_peoples, width, height)
    masks = _masks([replace(part, pixels=_cut(part.pixels, place)) for part in parts])
    if len(masks) < 2:
        # A whole of one mask is known again by covering everything: what was erased stays so.
        masks = _masks(parts)
    return RegionEdit(add=masks, below=place.below, remove=earlier)


def require_two_classes(source: PredictedImage) -> None:
    """Refuse a prediction that tells nothing apart."""
    if len(source.prediction.class_ids) < 2:
        raise ConflictError(
            f"the prediction of image {source.image.id} knows one class only and is sure of it everywhere: "
            "add a point of another class first"
        )


@dataclass(frozen=True)
class _Part:
    """A region to be."""

    pixels: npt.NDArray[np.bool_]
    """(H, W)"""
    class_id: int
    origin: RegionOrigin


def _is_peoples(region: RegionJson) -> bool:
    """Whether people said so of this one region; of those accepted only such are asked about."""
    return region["class_id"] is not None and region["origin"] != RegionOrigin.IMPORTED


def _cut(pixels: npt.NDArray[np.bool_], place: Place) -> npt.NDArray[np.bool_]:
    return pixels if place.covered is None else pixels & ~place.covered


def _region_at(
    source: PredictedImage, indices: npt.NDArray[np.unsignedinteger], class_ids: list[int], x: float, y: float
) -> _Part:
    """The connected part of the prediction at a place."""
    height, width = indices.shape
    if not (x < width and y < height):
        raise InvalidInputError(f"({x}, {y}) is outside of image {source.image.id}: it has {width} x {height} pixels")
    index = int(indices[int(y), int(x)])
    part = connected_part(indices == index, int(x), int(y))
    wanted = source.wanted.class_id
    is_corrected = wanted is not None and wanted != class_ids[index]
    if source.wanted.fill_holes:
        filled = without_holes(part)
        is_corrected |= bool((filled != part).any())
        part = filled
    origin = RegionOrigin.CORRECTED if is_corrected else RegionOrigin.ACCEPTED
    return _Part(part, class_ids[index] if wanted is None else wanted, origin)


def _masks(parts: Sequence[_Part]) -> list[NewRegion]:
    """Those of which a pixel is left."""
    found = ((part, mask_of(part.pixels)) for part in parts)
    return [
        NewRegion(part.class_id, NewShape(RegionKind.MASK, mask.to_json()), origin=part.origin)
        for part, mask in found
        if mask is not None
    ]
