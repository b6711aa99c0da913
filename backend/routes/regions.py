"""Regions of one image, some at a time; and the mask that they make."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from backend.context import Context
from backend.routes.annotations import CONFLICT, GeometryOf
from backend.schemas.annotations import AnnotationStateOut
from backend.schemas.base import MAX_ID, PathId
from backend.schemas.export import MaskSource
from backend.schemas.regions import GeometryScope, RegionPatch, RegionsEdit
from backend.services import annotating
from backend.services.region_masks import send_mask

router = APIRouter(prefix="/images/{image_id}", tags=["annotations"])

PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "the mask"}
}


@router.post("/regions", responses=CONFLICT)
def edit_regions(
    context: Context, image_id: PathId, body: RegionsEdit, geometry: GeometryOf = GeometryScope.ALL
) -> AnnotationStateOut:
    """Add, change and remove some regions, as one step; all others stay and need not be sent."""
    return annotating.edit_regions(context, image_id, body, geometry)


@router.patch("/regions/{region_id}", responses=CONFLICT)
def change_region(
    context: Context,
    image_id: PathId,
    region_id: PathId,
    body: RegionPatch,
    geometry: GeometryOf = GeometryScope.ALL,
) -> AnnotationStateOut:
    """Move a region, or give it another class or geometry."""
    return annotating.edit_regions(context, image_id, body.as_edit(region_id), geometry)


@router.delete("/regions/{region_id}", responses=CONFLICT)
def remove_region(
    context: Context,
    image_id: PathId,
    region_id: PathId,
    revision: Annotated[int | None, Query(ge=0, le=MAX_ID, description="as in PUT annotations")] = None,
    geometry: GeometryOf = GeometryScope.ALL,
) -> AnnotationStateOut:
    """Remove a region; undo brings it back."""
    return annotating.edit_regions(context, image_id, RegionsEdit(revision=revision, remove=[region_id]), geometry)


@router.get("/mask", response_class=Response, responses=PNG)
def get_mask(
    context: Context,
    image_id: PathId,
    source: Annotated[MaskSource, Query(description="what tells the class of a pixel")] = MaskSource.ANNOTATED,
) -> Response:
    """Indexed PNG in the colours of the classes: 0 where nothing was said, v for the v-th class of the session."""
    return send_mask(context, image_id, source)
