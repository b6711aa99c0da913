"""Regions as they come in and go out: checked shapes for the database, edits of one action, the label mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.regions import RegionChange, RegionIn, RegionsEdit
from db.enums import RegionKind
from db.errors import InvalidInputError
from db.queries.portions import IDS_PER_STATEMENT
from db.queries.region_rows import read_geometries, read_regions
from db.queries.regions import NewRegion, NewShape, RegionEdit
from db.tables.annotations import Region, RegionShape
from db.tables.images import Image
from models.errors import ShapeError
from models.region_checks import checked_shape, pixels_to_look_at
from models.region_shapes import Shape, compose, shape_of

MOST_PIXELS = 1 << 29
"""That are painted for one request, to see whether its shapes cover any: a second or two of computing."""


class ShapeChecks:
    """Checks the shapes of one request, which may cost so much and no more."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._looked_at = 0

    def check(self, kind: RegionKind, geometry: Mapping[str, Any], field: str) -> NewShape:
        """The shape in order.

        Raises:
            InvalidInputError: it is none, or outside of the image; `field` names it. Or this was too much.
        """
        width, height = self._image.width, self._image.height
        if width is None or height is None:
            # Refused for that reason where it would be stored.
            return NewShape(kind, geometry)
        try:
            shape = checked_shape(kind, geometry, width, height)
        except ShapeError as error:
            raise InvalidInputError(f"{field}: {error}") from error
        self._looked_at += pixels_to_look_at(shape, width, height)
        if self._looked_at > MOST_PIXELS:
            raise InvalidInputError(
                f"{field}: the shapes up to this one reach over more than {MOST_PIXELS:,} pixels together: "
                "send them in several requests"
            )
        return NewShape(kind, shape.to_json())


def new_regions(
    image: Image, regions: Sequence[RegionIn], field: str = "regions", checks: ShapeChecks | None = None
) -> list[NewRegion]:
    """Regions of a request, their shapes in order.

    Raises:
        InvalidInputError: a shape that is none, or outside of the image; `field` names it.
    """
    checks = checks or ShapeChecks(image)
    return [
        NewRegion(
            class_id=region.class_id,
            shape=None
            if region.geometry is None
            else checks.check(region.kind, region.geometry.model_dump(), f"{field}.{index}.geometry"),
            id=region.id,
        )
        for index, region in enumerate(regions)
    ]


@dataclass(frozen=True)
class KnownShape:
    """A region in force, with its geometry."""

    class_id: int | None
    kind: RegionKind
    geometry: dict[str, Any]


def known_shapes(db_session: Session, image: Image, changes: Sequence[RegionChange]) -> dict[int, KnownShape]:
    """The regions that are to be changed, by id, as they are."""
    if not changes:
        return {}
    wanted = select(Region.id, Region.class_id, RegionShape.kind, RegionShape.geometry)
    wanted = wanted.join(RegionShape, RegionShape.id == Region.shape_id)
    wanted = wanted.where(Region.image_id == image.id)
    if len(changes) <= IDS_PER_STATEMENT:
        wanted = wanted.where(Region.id.in_([change.id for change in changes]))
    return {row.id: KnownShape(row.class_id, row.kind, row.geometry) for row in db_session.execute(wanted)}


def checked_edit(image: Image, body: RegionsEdit, known: Mapping[int, KnownShape]) -> RegionEdit:
    """What one action of a person says, its shapes in order.

    Raises:
        InvalidInputError: as `new_regions`, or a region that is not in `known`.
    """
    checks = ShapeChecks(image)
    return RegionEdit(
        add=new_regions(image, body.add, "add", checks),
        change=_changed(image, body.change, known, checks),
        remove=body.remove,
    )


def shape_ids(db_session: Session, image: Image) -> frozenset[int]:
    """Shapes of the regions that an image has at the moment."""
    if not image.region_count:
        return frozenset()
    shapes = select(Region.shape_id).where(Region.image_id == image.id)
    return frozenset(db_session.connection().execute(shapes).scalars())


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


def _changed(
    image: Image, changes: Sequence[RegionChange], known: Mapping[int, KnownShape], checks: ShapeChecks
) -> list[NewRegion]:
    changed = []
    for index, change in enumerate(changes):
        found = known.get(change.id)
        if found is None:
            raise InvalidInputError(
                f"image {image.id} has no region {change.id}: look at the current state and send the change again"
            )
        class_id = change.class_id if "class_id" in change.model_fields_set else found.class_id
        field = f"change.{index}"
        shape = None
        if change.geometry is not None:
            shape = checks.check(found.kind, change.geometry.model_dump(), f"{field}.geometry")
        if change.dx or change.dy:
            geometry = found.geometry if shape is None else shape.geometry
            moved = shape_of(found.kind, geometry).moved(change.dx, change.dy)
            shape = checks.check(found.kind, moved.to_json(), field)
        changed.append(NewRegion(class_id, shape, change.id))
    return changed
