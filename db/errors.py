"""Domain errors: what went wrong in the terms of the product. backend/errors.py maps them to HTTP, once."""

from __future__ import annotations

from typing import Any


class FewclickError(Exception):
    """Base of all errors that a person is meant to read: value found, value expected, what to do."""


class NotFoundError(FewclickError):
    """Something named by its id does not exist."""


class InvalidInputError(FewclickError):
    """The request or the file cannot be right, whatever the state."""


class ConflictError(FewclickError):
    """The request would have been right in another state; `current` is the state found, where that helps."""

    def __init__(self, message: str, current: Any = None) -> None:
        super().__init__(message)
        self.current = current


class StorageFullError(FewclickError):
    """The disk has no room for what was to be written."""


class SessionNotFoundError(FewclickError):
    """There is no session where one was expected."""


class MigrationError(FewclickError):
    """The database cannot be brought to the newest schema."""
