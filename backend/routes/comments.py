"""The comment on an image: no part of its annotation, without undo; nothing learns from it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from backend.context import Context
from backend.schemas.base import ConflictBody, PathId
from backend.schemas.comments import CommentOut, CommentPut
from backend.services import comments

router = APIRouter(prefix="/images/{image_id}/comment", tags=["images"])

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ConflictBody, "description": "another comment was found; `current` is a CommentOut"}
}


@router.get("")
def get_comment(context: Context, image_id: PathId) -> CommentOut:
    """What stands."""
    return comments.get_comment(context, image_id)


@router.put("", responses=CONFLICT)
def put_comment(context: Context, image_id: PathId, body: CommentPut) -> CommentOut:
    """Replace the comment on the image."""
    return comments.put_comment(context, image_id, body)
