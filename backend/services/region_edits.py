"""Regions as they come in and go out: checked shapes for the database, edits of one action, the label mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.regions import RegionChange, RegionIn, RegionsEdit
from db.enums import RegionKind
from db.errors import InvalidInputError
from db.queries.region_rows import IDS_PER_QUERY, read_geometries, read_regions
from db.queries.regions import NewRegion, NewShape, RegionEdit, edit_regions
from db.tables.annotations import Region, RegionShape
from db.tables.images import Image
from models.errors import ShapeError
from models.region_checks import checked_shape
from models.region_shapes import Shape, compose, shape_of


def new_regions(image: Image, regions: Sequence[RegionIn], field: str = "regions") -> list[NewRegion]:
    """Regions of a request, their shapes in order.

    Raises:
        InvalidInputError: a shape that is none, or outside of the image; `field` names it.
    """
    return [
        NewRegion(
            class_id=region.class_id,
            shape=None
            if region.geometry is None
            else _shape(image, region.kind, region.geometry.model_dump(), f"{field}.{index}.geometry"),
            id=region.id,
        )
        for index, region in enumerate(regions)
    ]


def apply_edit(db_session: Session, image: Image, body: RegionsEdit) -> dict[str, Any]:
    """Do what one action of a person says; returns the new state."""
    edit = RegionEdit(
        add=new_regions(image, body.add, "add"),
        change=_changed(db_session, image, body.change),
        remove=body.remove,
    )
    return edit_regions(db_session, image, edit, expected_revision=body.revision)


def shape_ids(db_session: Session, image: Image) -> frozenset[int]:
    """Shapes of the regions that an image has at the moment."""
    if not image.region_count:
        return frozenset()
    return frozenset(db_session.scalars(select(Region.shape_id).where(Region.image_id == image.id)))


def painted_regions(db_session: Session, image: Image, class_ids: frozenset[int]) -> list[tuple[Shape, int | None]]:
    """Shapes and classes of the regions of an image, the last on top, without those of removed classes."""
    if not image.region_count:
        return []
    regions = [r for r in read_regions(db_session, image.id) if r.class_id is None or r.class_id in class_ids]
    geometries = read_geometries(db_session, {region.shape_id for region in regions})
    return [(shape_of(region.kind, geometries[region.shape_id]), region.class_id) for region in regions]


def label_map(
    painted: Sequence[tuple[Shape, int | None]], class_ids: Sequence[int], width: int, height: int
) -> npt.NDArray[np.uint16]:
    """(H, W): 0 where nothing was said, v for the v-th of `class_ids`."""
    value_of = {class_id: value for value, class_id in enumerate(class_ids, start=1)}
    values = ((shape, 0 if class_id is None else value_of[class_id]) for shape, class_id in painted)
    return compose(values, width, height)


def _changed(db_session: Session, image: Image, changes: Sequence[RegionChange]) -> list[NewRegion]:
    if not changes:
        return []
    wanted = select(Region.id, Region.class_id, RegionShape.kind, RegionShape.geometry)
    wanted = wanted.join(RegionShape, RegionShape.id == Region.shape_id)
    wanted = wanted.where(Region.image_id == image.id)
    if len(changes) <= IDS_PER_QUERY:
        wanted = wanted.where(Region.id.in_([change.id for change in changes]))
    known = {row.id: row for row in db_session.execute(wanted)}
    changed = []
    for index, change in enumerate(changes):
        row = known.get(change.id)
        if row is None:
            raise InvalidInputError(
                f"image {image.id} has no region {change.id}: look at the current state and send the change again"
            )
        class_id = change.class_id if "class_id" in change.model_fields_set else row.class_id
        field = f"change.{index}"
        shape = None
        if change.geometry is not None:
            shape = _shape(image, row.kind, change.geometry.model_dump(), f"{field}.geometry")
        if change.dx or change.dy:
            geometry = row.geometry if shape is None else shape.geometry
            moved = shape_of(row.kind, geometry).moved(change.dx, change.dy)
            shape = _shape(image, row.kind, moved.to_json(), field)
        changed.append(NewRegion(class_id, shape, change.id))
    return changed


def _shape(image: Image, kind: RegionKind, geometry: Mapping[str, Any], field: str) -> NewShape:
    if image.width is None or image.height is None:
        # Refused for that reason where it would be stored.
        return NewShape(kind, geometry)
    try:
        shape = checked_shape(kind, geometry, image.width, image.height)
    except ShapeError as error:
        raise InvalidInputError(f"{field}: {error}") from error
    return NewShape(kind, shape.to_json())
