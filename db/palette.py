"""Colours of classes that name none."""

from __future__ import annotations

PALETTE = (
    "#2F9E44", "#E03131", "#1971C2", "#F08C00", "#9C36B5", "#0C8599", "#C2255C", "#66A80F", "#6741D9", "#E8590C",
    "#099268", "#3B5BDB", "#A61E4D", "#5C940D", "#846358", "#495057",
)  # fmt: skip
"""In turn; well apart on light and dark pictures."""
