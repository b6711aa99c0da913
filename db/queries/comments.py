"""What people note about images."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from db.errors import ConflictError
from db.queries.events import add_event
from db.tables.images import Image


def current_comment(image: Image) -> dict[str, Any]:
    """{"image_id", "text", "revision"}; text is empty where there is none."""
    return {"image_id": image.id, "text": image.comment or "", "revision": image.comment_revision}


def set_comment(
    db_session: Session, image: Image, text: str, *, expected_revision: int | None = None
) -> dict[str, Any]:
    """Replace the comment; the same text again changes nothing. Returns the new `current_comment`.

    Args:
        text: without space around it; empty removes the comment.

    Raises:
        ConflictError: the comment is at another revision than the one expected, and says something else.
    """
    if text == (image.comment or ""):
        return current_comment(image)
    if expected_revision not in (None, image.comment_revision):
        raise ConflictError(
            f"the comment on image {image.id} is at revision {image.comment_revision}, the request replaces revision "
            f"{expected_revision}: look at what was written meanwhile, then send it again",
            current=current_comment(image),
        )
    image.comment = text or None
    image.comment_revision += 1
    add_event(
        db_session, "annotation",
        image_id=image.id, revision=image.revision, comment_revision=image.comment_revision,
    )  # fmt: skip
    return current_comment(image)
