"""Many values in portions that one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

IDS_PER_STATEMENT = 500
"""Databases limit the number of values in one statement."""

T = TypeVar("T")


def in_portions(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in their order, up to `IDS_PER_STATEMENT` at a time."""
    found = list(values)
    return (found[start : start + IDS_PER_STATEMENT] for start in range(0, len(found), IDS_PER_STATEMENT))
