"""Rows of regions and of their shapes.

A shape is written once and never changed; the states of the past name it. So a state of an image with hundreds of
strokes is a few kilobytes, and undo brings back exactly what was there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import RegionKind
from db.queries.annotation_state import StoredRegion
from db.queries.portions import in_portions
from db.tables.annotations import Region, RegionShape
from db.tables.images import Image

_REGIONS = (
    select(Region.id, Region.shape_id, RegionShape.kind, Region.class_id, Region.origin)
    .join(RegionShape, RegionShape.id == Region.shape_id)
    .where(Region.image_id == bindparam("image_id"))
    .order_by(Region.position, Region.id)
)
_PLACES = select(Region.id, Region.position).where(Region.image_id == bindparam("of_image"))
_UPDATE_REGION = update(Region).where(Region.id == bindparam("row_id"))


def read_regions(db_session: Session, image_id: int) -> tuple[StoredRegion, ...]:
    """The regions in force, from the lowest to the one on top."""
    rows = db_session.connection().execute(_REGIONS, {"image_id": image_id})
    return tuple(StoredRegion(*row) for row in rows)


def write_regions(
    db_session: Session, image: Image, before: Sequence[StoredRegion], after: Sequence[StoredRegion]
) -> None:
    """Turn the regions in force into others: only rows that change are written.

    One that was there keeps its row, and with it the time at which it was made.

    Args:
        before: As `read_regions`. Rows beside these come from `new_region_id`, with their place left to be said.
    """
    connection = db_session.connection()
    places: dict[int | None, int] = dict(connection.execute(_PLACES, {"of_image": image.id}).all())
    known = {region.id: region for region in before}
    gone = places.keys() - {region.id for region in after}
    for ids in in_portions(sorted(region_id for region_id in gone if region_id is not None)):
        connection.execute(delete(Region).where(Region.id.in_(ids)))
    changed, new = [], []
    for n, region in enumerate(after):
        values = {"position": n, "shape_id": region.shape_id, "class_id": region.class_id, "origin": region.origin}
        if region.id not in places:
            new.append({"id": region.id, "image_id": image.id, "created_at": utc_now(), **values})
        elif places[region.id] != n or known.get(region.id, region) != region:
            changed.append({"row_id": region.id, **values})
    if changed:
        connection.execute(_UPDATE_REGION, changed)
    if new:
        connection.execute(insert(Region).inline(), new)
    image.region_count = len(after)


def new_region_id(db_session: Session, image_id: int, region: StoredRegion) -> int:
    """The id of a region that has none yet, which has a row with it; where it is painted is to be written with all."""
    values: dict[str, Any] = {"image_id": image_id, "position": 0, "shape_id": region.shape_id}
    values |= {"class_id": region.class_id, "origin": region.origin, "created_at": utc_now()}
    region_id = db_session.connection().execute(insert(Region).values(values)).inserted_primary_key
    assert region_id is not None
    return int(region_id[0])


def keep_shape(db_session: Session, image_id: int, kind: RegionKind, geometry: Mapping[str, Any]) -> int:
    """The id of a shape, which is written unless the image has it."""
    text = json.dumps([kind.value, geometry], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    connection = db_session.connection()
    is_it = (RegionShape.image_id == image_id, RegionShape.digest == digest)
    known = connection.execute(select(RegionShape.id).where(*is_it)).scalar()
    if known is not None:
        return int(known)
    values = {"image_id": image_id, "digest": digest, "kind": kind, "geometry": dict(geometry)}
    shape_id = connection.execute(insert(RegionShape).values(values)).inserted_primary_key
    assert shape_id is not None
    return int(shape_id[0])


def read_geometries(db_session: Session, shape_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Geometry by the id of the shape."""
    found: dict[int, dict[str, Any]] = {}
    for ids in in_portions(sorted(shape_ids)):
        rows = select(RegionShape.id, RegionShape.geometry).where(RegionShape.id.in_(ids))
        found |= dict(db_session.execute(rows).all())
    return found
