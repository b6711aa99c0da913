"""Choices of an export."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExportFormat(StrEnum):
    """How annotations are written to a file."""

    JSON = "json"
    CSV = "csv"
    COCO = "coco"
    PNG_MASKS = "png-masks"
    YOLO_SEGMENT = "yolo-segment"


class ExportScope(StrEnum):
    """Whose predictions go into masks."""

    LABELED = "labeled"
    ALL = "all"


class MaskSource(StrEnum):
    """Where the class of a pixel comes from."""

    ANNOTATED = "annotated"
    """Regions alone."""
    PREDICTED = "predicted"
    """The prediction alone."""
    MERGED = "merged"
    """Regions, and where there are none the prediction."""


class Outlines(StrEnum):
    """How COCO tells the pixels of a class."""

    RLE = "rle"
    """One annotation for all that belongs to a class in an image."""
    POLYGONS = "polygons"
    """One annotation for each part that hangs together."""


@dataclass(frozen=True)
class ExportOptions:
    """What an export takes along."""

    scope: ExportScope = ExportScope.LABELED
    history: bool = False
    """json: every earlier annotation too."""
    masks: MaskSource | None = None
    """Where masks come from; None: regions where an image has any, and the prediction where it has none."""
    outlines: Outlines = Outlines.RLE
