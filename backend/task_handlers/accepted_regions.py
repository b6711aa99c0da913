"""Regions of an image made of its prediction: all that it shows, or the one at a place, right or corrected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backend.task_handlers.base import PredictedImage
from db.enums import RegionKind, RegionOrigin
from db.errors import ConflictError, InvalidInputError
from db.queries.regions import NewRegion, NewShape, RegionEdit
from models.region_shapes import mask_of
from models.region_tools import connected_part, without_holes


def accepted_regions(source: PredictedImage) -> RegionEdit:
    """What an acceptance does to the regions of the image.

    The whole prediction becomes a mask for each class, in place of what was accepted as a whole before and below what
    people drew or accepted one by one. A single region lies on top.

    Raises:
        ConflictError: the prediction is no base for it.
        InvalidInputError: a place outside of the image.
    """
    require_two_classes(source)
    assert source.read_label_map is not None
    indices, class_ids = source.read_label_map()
    if source.wanted.x is not None and source.wanted.y is not None:
        return RegionEdit(add=[_region_at(source, indices, class_ids, source.wanted.x, source.wanted.y)])
    masks = (_region(indices == index, class_id, RegionOrigin.ACCEPTED) for index, class_id in enumerate(class_ids))
    # A mask of all pixels would hide the new ones, whichever way it came.
    everything = mask_of(np.ones(indices.shape, dtype=bool))
    assert everything is not None
    earlier = [
        region["id"]
        for region in source.annotation["regions"]
        if region["origin"] == RegionOrigin.ACCEPTED
        and (region["id"] not in source.accepted_one_by_one or region["geometry"] == everything.to_json())
    ]
    return RegionEdit(add=[mask for mask in masks if mask is not None], below_people=True, remove=earlier)


def require_two_classes(source: PredictedImage) -> None:
    """Refuse a prediction that tells nothing apart."""
    if len(source.prediction.class_ids) < 2:
        raise ConflictError(
            f"the prediction of image {source.image.id} knows one class only and is sure of it everywhere: "
            "add a point of another class first"
        )


def _region_at(
    source: PredictedImage, indices: npt.NDArray[np.unsignedinteger], class_ids: list[int], x: float, y: float
) -> NewRegion:
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
    region = _region(part, class_ids[index] if wanted is None else wanted, origin)
    assert region is not None
    return region


def _region(pixels: npt.NDArray[np.bool_], class_id: int, origin: RegionOrigin) -> NewRegion | None:
    mask = mask_of(pixels)
    return None if mask is None else NewRegion(class_id, NewShape(RegionKind.MASK, mask.to_json()), origin=origin)
