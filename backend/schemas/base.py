"""Base of all schemas, and the ids in them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

MAX_ID = 2**63 - 1
"""Largest integer that SQLite and PostgreSQL store."""

# Strict: true and "1" are no numbers in JSON.
Id = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]
QueryId = Annotated[int | None, Query(ge=1, le=MAX_ID)]
Revision = Annotated[int, Field(strict=True, ge=0, le=MAX_ID)]


class ResponseModel(BaseModel):
    """What the server says."""

    model_config = ConfigDict(frozen=True)


class RequestModel(BaseModel):
    """What a client may say: an unknown field is a mistake, not something to ignore."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ErrorBody(ResponseModel):
    """Every error of the API."""

    error: str = Field(description="class of the error, for programs", examples=["NotFoundError"])
    detail: str = Field(description="one line for a person: what was found, what was expected, what to do")


class ConflictBody(ErrorBody):
    """The request would have been right in another state."""

    current: Any = Field(default=None, description="the state found; for annotations an AnnotationState")
