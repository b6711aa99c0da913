"""One change of many images."""

from __future__ import annotations

from fastapi import APIRouter

from backend.context import Context
from backend.schemas.bulk import BulkChange, BulkOutcomeOut
from backend.services import bulk_annotating

router = APIRouter(prefix="/annotations", tags=["annotations"])


@router.post("/bulk")
def change_many_images(context: Context, body: BulkChange) -> BulkOutcomeOut:
    """Label, accept, skip, undo... many images at once: durable as a whole, or not at all."""
    return bulk_annotating.change_many(context, body)
