"""Annotations of one image: read, replace, clear, undo, redo, skip, undetermined. All durable before the answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from backend.context import Context
from backend.schemas.annotations import AnnotationPut, AnnotationStateOut, ExpectedRevision
from backend.schemas.base import MAX_ID, ConflictBody, PathId
from backend.schemas.regions import GeometryScope
from backend.services import annotating

router = APIRouter(prefix="/images/{image_id}/annotations", tags=["annotations"])

OptionalRevision = Annotated[ExpectedRevision | None, Body()]
GeometryOf = Annotated[
    GeometryScope,
    Query(description="changed: only of regions whose shape the image had not before; the others' is null"),
]

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ConflictBody, "description": "another state was found; `current` is an AnnotationStateOut"}
}


@router.get("")
def get_annotations(context: Context, image_id: PathId) -> AnnotationStateOut:
    """What stands."""
    return annotating.get_state(context, image_id)


@router.put("", responses=CONFLICT)
def put_annotations(
    context: Context, image_id: PathId, body: AnnotationPut, geometry: GeometryOf = GeometryScope.ALL
) -> AnnotationStateOut:
    """Replace the annotation of the image by the one given; of points and regions, what is left out stays."""
    return annotating.replace(context, image_id, body, geometry)


@router.delete("", responses=CONFLICT)
def clear_annotations(
    context: Context,
    image_id: PathId,
    revision: Annotated[int | None, Query(ge=0, le=MAX_ID, description="as in PUT annotations")] = None,
) -> AnnotationStateOut:
    """Remove all annotations of the image; undo brings them back."""
    return annotating.clear(context, image_id, revision)


@router.post("/undo", responses=CONFLICT)
def undo_annotations(
    context: Context, image_id: PathId, body: OptionalRevision = None, geometry: GeometryOf = GeometryScope.ALL
) -> AnnotationStateOut:
    """One step back; 409 if there is none."""
    return annotating.undo(context, image_id, (body or ExpectedRevision()).revision, geometry)


@router.post("/redo", responses=CONFLICT)
def redo_annotations(
    context: Context, image_id: PathId, body: OptionalRevision = None, geometry: GeometryOf = GeometryScope.ALL
) -> AnnotationStateOut:
    """One step forward again; 409 if there is none."""
    return annotating.redo(context, image_id, (body or ExpectedRevision()).revision, geometry)


@router.post("/skip", responses=CONFLICT)
def skip_image(context: Context, image_id: PathId, body: OptionalRevision = None) -> AnnotationStateOut:
    """Set the image aside; its annotations go, undo brings them back."""
    return annotating.skip(context, image_id, (body or ExpectedRevision()).revision)


@router.post("/undetermined", responses=CONFLICT)
def mark_undetermined(context: Context, image_id: PathId, body: OptionalRevision = None) -> AnnotationStateOut:
    """Say that a person has looked and cannot tell: an answer in place of any other, that nothing learns from."""
    return annotating.set_undetermined(context, image_id, (body or ExpectedRevision()).revision)
