"""Comments on images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from backend.schemas.base import RequestModel, ResponseModel, Revision

MAX_LENGTH = 2_000
TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""Lines and tabs, but no other control characters: PostgreSQL stores no NUL, tables of others no escapes."""


class CommentOut(ResponseModel):
    """What a person noted about an image."""

    image_id: int
    text: str = Field(description="empty where there is none")
    revision: int = Field(description="number of changes of the comment so far")


class CommentPut(RequestModel):
    """The comment as it shall be."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_LENGTH, pattern=TEXT)] = Field(
        description="empty removes the comment"
    )
    revision: Revision | None = Field(
        default=None, description="the revision this replaces, 409 if it is no longer the newest; left out: overwrite"
    )
