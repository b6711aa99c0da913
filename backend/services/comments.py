"""Comments on images: each change is one transaction, durable before it returns."""

from __future__ import annotations

from backend.context import AppContext
from backend.schemas.comments import CommentOut, CommentPut
from db.queries.comments import current_comment, set_comment
from db.queries.images import get_image


def get_comment(context: AppContext, image_id: int) -> CommentOut:
    """What stands."""
    with context.database.read() as db_session:
        return CommentOut.model_validate(current_comment(get_image(db_session, image_id)))


def put_comment(context: AppContext, image_id: int, body: CommentPut) -> CommentOut:
    """Replace it."""
    with context.database.write() as db_session:
        image = get_image(db_session, image_id, lock=True)
        return CommentOut.model_validate(set_comment(db_session, image, body.text, expected_revision=body.revision))
