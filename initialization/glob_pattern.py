"""Patterns such as data/**/*_rgb.tif: the folder to look in, and which paths below it are meant."""

from __future__ import annotations

import re
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")


class GlobPattern:
    """`*`, `?` and `[...]` stay within one name, `**` stands for any folders, also none. Upper and lower case differ.

    Raises:
        ValueError: a set of characters such as [z-a] makes no sense.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        parts = pattern.split("/")
        expression = ""
        for position, part in enumerate(parts, start=1):
            is_last = position == len(parts)
            if part == "**":
                expression += "(?:.+)" if is_last else "(?:[^/]+/)*"
            else:
                expression += _within_name(part) + ("" if is_last else "/")
        try:
            self._expression = re.compile(expression, re.DOTALL)
        except re.error as error:
            raise ValueError(f"{pattern}: {error.msg}") from error

    def __str__(self) -> str:
        return self._pattern

    def matches(self, path: str) -> bool:
        """Whether a path with forward slashes, relative to the pattern's folder, is meant."""
        return self._expression.fullmatch(path) is not None


def split_pattern(path: Path) -> tuple[Path, GlobPattern] | None:
    """The last folder before the first wildcard, and the pattern from there; None without a wildcard."""
    parts = path.parts
    first = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), None)
    if first is None:
        return None
    return Path(*parts[:first]), GlobPattern("/".join(parts[first:]))


def _within_name(part: str) -> str:
    """A regular expression for one name."""
    return "".join(_piece(piece) for piece in re.findall(r"\*+|\[!?\]?[^\]]*\]|.", part, re.DOTALL))


def _piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if len(piece) > 1:  # a set of characters, which a hyphen makes a range
        inner = piece[1:-1]
        negated = inner.startswith("!")
        characters = re.escape(inner.removeprefix("!")).replace("\\-", "-")
        return f"[^/{characters}]" if negated else f"[{characters}]"
    return re.escape(piece)
