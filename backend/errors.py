"""Errors to HTTP, in one place: {"error": CLASS, "detail": TEXT} with a fitting status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from backend.schemas.base import ErrorBody
from backend.services.plain_text import without_folders
from db.errors import (
    ConflictError,
    FewclickError,
    InvalidInputError,
    NotFoundError,
    SessionNotFoundError,
    StorageFullError,
)
from models.atomic_file import is_disk_full
from models.errors import FeatureMismatchError, ImageReadError, ModelsError, ShapeError

logger = logging.getLogger(__name__)

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (InvalidInputError, 400),
    (ConflictError, 409),
    (SessionNotFoundError, 503),
    (StorageFullError, 507),
    (FeatureMismatchError, 409),
    (ImageReadError, 422),
    (ShapeError, 400),
    (FewclickError, 500),
    (ModelsError, 500),
)
"""The first that fits counts."""

DISK_FULL = "the disk is full: nothing was saved. Free some space, try again"

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in {
        400: "cannot be right",
        404: "no such thing",
        409: "not in this state",
        422: "malformed",
        507: "the disk is full",
    }.items()
}


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of the application its HTTP form."""
    for kind in (FewclickError, ModelsError):
        app.add_exception_handler(kind, _handle_domain_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(OperationalError, _handle_database_error)
    app.add_exception_handler(OSError, _handle_os_error)
    app.add_exception_handler(Exception, _handle_unexpected)


def error_response(
    status: int, error: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """An answer in the one shape of errors."""
    return JSONResponse({"error": error, "detail": detail, **more}, status_code=status, headers=headers)


def _handle_domain_error(_request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    more = {"current": error.current} if isinstance(error, ConflictError) and error.current is not None else {}
    return error_response(status, type(error).__name__, without_folders(str(error)), **more)


def _handle_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return error_response(422, "RequestValidationError", "; ".join(map(_one_line, list(error.errors())[:5])))


def _handle_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 400 and "parsing the body" in detail:
        detail = "the body could not be read: expected one JSON value in UTF-8, as /api/openapi.json describes it"
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path}: /api/openapi.json lists what there is"
    elif error.status_code == 405:
        detail = f"{request.method} is not possible at {request.url.path}: /api/openapi.json lists what is"
    name = {404: "NotFoundError", 405: "MethodNotAllowedError"}.get(error.status_code, "HttpError")
    return error_response(error.status_code, name, detail, error.headers)


def _handle_database_error(request: Request, error: Exception) -> JSONResponse:
    logger.error("database error", exc_info=error)
    if "disk is full" in str(error) or "No space left" in str(error):
        return _handle_domain_error(request, StorageFullError(DISK_FULL))
    return error_response(503, "DatabaseError", "the database does not answer: nothing was saved. Try again")


def _handle_os_error(request: Request, error: Exception) -> JSONResponse:
    if not (isinstance(error, OSError) and is_disk_full(error)):
        raise error
    logger.error("the disk is full", exc_info=error)
    return _handle_domain_error(request, StorageFullError(DISK_FULL))


def _handle_unexpected(_request: Request, error: Exception) -> JSONResponse:
    logger.error("unexpected error", exc_info=error)
    return error_response(500, "InternalError", "something unexpected went wrong: the server's log says what")


def _one_line(problem: Mapping[str, Any]) -> str:
    """Field, what is wrong, and the value found."""
    place: Sequence[Any] = problem.get("loc", ())
    field = ".".join(str(part) for part in place[1:]) or (str(place[0]) if place else "request")
    message = str(problem.get("msg", "is not valid")).removeprefix("Value error, ")
    kind = problem.get("type")
    if kind == "json_invalid":
        return f"the body is no JSON: {problem.get('ctx', {}).get('error', message)}"
    if kind == "extra_forbidden":
        return f"{field} is not known here: remove it"
    if kind == "missing":
        return f"{field} is missing"
    found = problem.get("input")
    shown = "" if isinstance(found, (dict, list)) else f", found {_shorten(found)}"
    return f"{field}: {message[0].lower()}{message[1:]}{shown}"


def _shorten(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
