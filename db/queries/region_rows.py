"""Rows of regions and of their shapes.

A shape is written once and never changed; the states of the past name it. So a state of an image with hundreds of
strokes is a few kilobytes, and undo brings back exactly what was there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import RegionKind
from db.queries.annotation_state import StoredRegion
from db.tables.annotations import Region, RegionShape
from db.tables.images import Image

IDS_PER_QUERY = 500
"""Databases limit the number of values in one statement."""

_REGIONS = (
    select(Region.id, Region.shape_id, RegionShape.kind, Region.class_id, Region.origin)
    .join(RegionShape, RegionShape.id == Region.shape_id)
    .where(Region.image_id == bindparam("image_id"))
    .order_by(Region.position, Region.id)
)
_UPDATE_REGION = update(Region).where(Region.id == bindparam("row_id"))


def read_regions(db_session: Session, image_id: int) -> tuple[StoredRegion, ...]:
    """The regions in force, from the lowest to the one on top."""
    rows = db_session.connection().execute(_REGIONS, {"image_id": image_id})
    return tuple(StoredRegion(*row) for row in rows)


def write_regions(db_session: Session, image: Image, after: Sequence[StoredRegion]) -> None:
    """Make these the regions in force. One that was there keeps its row, and with it the time at which it was made."""
    connection = db_session.connection()
    found = connection.execute(
        select(Region.id, Region.position, Region.shape_id, Region.class_id, Region.origin).where(
            Region.image_id == image.id
        )
    )
    rows = {row.id: tuple(row) for row in found}
    wanted = {r.id: (r.id, n, r.shape_id, r.class_id, r.origin) for n, r in enumerate(after)}
    for chunk in _chunks(sorted(rows.keys() - wanted.keys())):
        connection.execute(delete(Region).where(Region.id.in_(chunk)))
    names = ("position", "shape_id", "class_id", "origin")
    changed = [row for row_id, row in wanted.items() if row_id in rows and rows[row_id] != row]
    if changed:
        connection.execute(
            _UPDATE_REGION, [{"row_id": row[0], **dict(zip(names, row[1:], strict=True))} for row in changed]
        )
    new = [row for row_id, row in wanted.items() if row_id not in rows]
    if new:
        now = utc_now()
        values = [
            {"id": row[0], "image_id": image.id, "created_at": now, **dict(zip(names, row[1:], strict=True))}
            for row in new
        ]
        connection.execute(insert(Region).inline(), values)
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
    for chunk in _chunks(sorted(shape_ids)):
        rows = select(RegionShape.id, RegionShape.geometry).where(RegionShape.id.in_(chunk))
        found |= dict(db_session.execute(rows).all())
    return found


def _chunks(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[start : start + IDS_PER_QUERY] for start in range(0, len(values), IDS_PER_QUERY))
