"""Regions of a segmentation: replaced as a whole, or some of them added, changed and removed; one change, undoable.

Geometry comes in as models/region_checks.py has put it in order: here it is only kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from db.enums import Origin, RegionKind, RegionOrigin
from db.errors import InvalidInputError
from db.queries.annotation_change import Change
from db.queries.annotation_state import State, StoredRegion, with_hidden
from db.queries.annotations import NewPoint, points_to_store
from db.queries.region_rows import keep_shape, new_region_id, read_geometries
from db.tables.images import Image
from db.tasks import Annotates

MAX_REGIONS = 5000
"""Of one image."""


@dataclass(frozen=True)
class NewShape:
    """A geometry that is in order, of an image of this session."""

    kind: RegionKind
    geometry: Mapping[str, Any]


@dataclass(frozen=True)
class NewRegion:
    """A region to store."""

    class_id: int | None
    """None removes what lies below."""
    shape: NewShape | None = None
    """None keeps that of the existing region."""
    id: int | None = None
    """Of the existing region that this one is, changed or not; None for a new one."""
    origin: RegionOrigin = RegionOrigin.HUMAN
    """Of a new one; and of a changed one that no person had made before `RegionOrigin.CORRECTED` is."""


@dataclass(frozen=True)
class RegionEdit:
    """What one action of a person does to the regions of an image."""

    add: Sequence[NewRegion] = ()
    below: Collection[int] = ()
    """Ids of existing ones that stay on top of those that are added; none: they go on top of all."""
    change: Sequence[NewRegion] = ()
    """Existing ones, by id; they stay where they are in the order."""
    remove: Collection[int] = ()


def replace_regions(
    db_session: Session,
    image: Image,
    regions: Sequence[NewRegion],
    *,
    points: Sequence[NewPoint] | None = None,
    expected_revision: int | None = None,
    origin: Origin = Origin.HUMAN,
) -> dict[str, Any]:
    """Make `regions` those of the image, the last on top; and `points` its points, where they are given.

    New points get `origin`; new regions have their own.

    Raises:
        InvalidInputError: a class or an id that is not there, too many regions, or a session without regions.
        ConflictError: the image is at another revision than the one expected, or could not be read at all.
    """
    change = _begin(db_session, image, regions, expected_revision)
    known = {region.id: region for region in change.before.visible(change.present).regions}
    hidden = change.hidden().regions
    stored = [_stored(db_session, image, region, _existing(known, region.id, image)) for region in regions]
    ids = [region.id for region in stored if region.id is not None]
    if len(set(ids)) < len(ids):
        raise InvalidInputError("a region is named twice: give each id once")
    after = _kept(change) if points is None else State(points=points_to_store(change, points, origin))
    merged = with_hidden(_with_ids(change, stored), hidden, change.before.regions)
    return change.apply(replace(after, regions=merged))


def edit_regions(
    db_session: Session, image: Image, edit: RegionEdit, *, expected_revision: int | None = None
) -> dict[str, Any]:
    """Add, change and remove some regions; the others, and the points, stay. Raises as `replace_regions`."""
    change = _begin(db_session, image, (*edit.add, *edit.change), expected_revision)
    known = {region.id: region for region in change.before.visible(change.present).regions}
    changed = {region.id: region for region in edit.change}
    removed = set(edit.remove)
    for region_id in (*removed, *changed):
        _existing(known, region_id, image)
    stored = []
    for existing in change.before.regions:
        if existing.id in changed:
            stored.append(_stored(db_session, image, changed[existing.id], existing))
        elif existing.id not in removed:
            stored.append(existing)
    added = [_stored(db_session, image, region, None) for region in edit.add]
    place = next((n for n, region in enumerate(stored) if region.id in edit.below), len(stored))
    stored[place:place] = added
    _require_few(len(stored))
    return change.apply(replace(_kept(change), regions=_with_ids(change, stored)))


def with_geometry(db_session: Session, state: dict[str, Any], known: Collection[int] = ()) -> dict[str, Any]:
    """A state as `current_state` gives it, with the geometry of its regions; None for the shapes in `known`."""
    if not state["regions"]:
        return state
    geometries = read_geometries(db_session, {region["shape_id"] for region in state["regions"]}.difference(known))
    return {
        **state,
        "regions": [{**region, "geometry": geometries.get(region["shape_id"])} for region in state["regions"]],
    }


def _begin(db_session: Session, image: Image, regions: Sequence[NewRegion], expected_revision: int | None) -> Change:
    change = Change(db_session, image, Annotates.POINTS, expected_revision)
    change.require_readable()
    _require_few(len(regions))
    change.classes.require_present({region.class_id for region in regions if region.class_id is not None})
    return change


def _kept(change: Change) -> State:
    """What an edit of regions leaves: the points. A region ends a skip, as a point does."""
    return State(points=change.before.points)


def _existing(known: Mapping[int | None, StoredRegion], region_id: int | None, image: Image) -> StoredRegion | None:
    if region_id is None:
        return None
    if region_id not in known:
        raise InvalidInputError(
            f"image {image.id} has no region {region_id}: look at the current state and send the change again"
        )
    return known[region_id]


def _require_few(count: int) -> None:
    if count > MAX_REGIONS:
        raise InvalidInputError(
            f"{count} regions are more than the {MAX_REGIONS} that an image can have: merge some into a mask"
        )


def _stored(db_session: Session, image: Image, region: NewRegion, existing: StoredRegion | None) -> StoredRegion:
    if region.shape is None:
        if existing is None:
            raise InvalidInputError("a new region has no geometry: send one, or the id of a region that is there")
        if existing.class_id == region.class_id:
            return existing
        kind, shape_id = existing.kind, existing.shape_id
    else:
        kind = region.shape.kind
        shape_id = keep_shape(db_session, image.id, kind, region.shape.geometry)
    if existing is None:
        return StoredRegion(None, shape_id, kind, region.class_id, region.origin)
    is_same = (existing.shape_id, existing.class_id) == (shape_id, region.class_id)
    is_own = existing.origin is RegionOrigin.HUMAN
    origin = existing.origin if is_same or is_own else RegionOrigin.CORRECTED
    return StoredRegion(existing.id, shape_id, kind, region.class_id, origin)


def _with_ids(change: Change, regions: Sequence[StoredRegion]) -> tuple[StoredRegion, ...]:
    """Regions without an id take that of an equal one that goes, or a new one."""
    claimed = {region.id for region in regions}
    free: dict[tuple[int, int | None, RegionOrigin], list[int | None]] = {}
    for region in change.before.visible(change.present).regions:
        if region.id not in claimed:
            free.setdefault(region.content, []).append(region.id)
    stored = []
    for region in regions:
        if region.id is not None:
            stored.append(region)
            continue
        same = free.get(region.content)
        region_id = same.pop(0) if same else new_region_id(change.db_session, change.image.id, region)
        stored.append(replace(region, id=region_id))
    return tuple(stored)
