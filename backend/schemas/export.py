"""Choices of an export."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """How annotations are written to a file."""

    JSON = "json"
    CSV = "csv"
    COCO = "coco"
    PNG_MASKS = "png-masks"


class ExportScope(StrEnum):
    """Whose predictions go into masks."""

    LABELED = "labeled"
    ALL = "all"
