"""Text in a .csv that a spreadsheet would take for a formula: class names, comments and file names come from others."""

from __future__ import annotations

import re

_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(value: object) -> object:
    """A cell as it is written: with an apostrophe before text that a spreadsheet would run. Numbers stay."""
    return f"'{value}" if isinstance(value, str) and _DANGEROUS.match(value) else value


def unguarded(text: str) -> str:
    """Inverse of `guarded`."""
    return text[1:] if _GUARDED.match(text) else text
