"""A program that measures several things, one part after the other, each between marks of its own in a document."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.tables import Section, machine, markdown, show, write_between_marks

TABLE_WIDTH = 132
Measure = Callable[[], list[Section]]


@dataclass(frozen=True)
class Program:
    """The program as the document names it."""

    name: str
    """`NAME` of benchmarks/NAME.py; its marks begin with it."""
    arguments: tuple[str, ...] = ()
    """Of the command line, besides part and document."""


def write_parts(program: Program, parts: Sequence[tuple[str, Measure]], out: Path | None) -> None:
    """Measure the parts; each is printed, and written, as soon as it is done, with machine, load and command."""
    console = Console(highlight=False, width=max(Console().width, TABLE_WIDTH))
    for name, measure in parts:
        before = os.getloadavg()[0]
        sections = measure()
        show(console, sections)
        command = " ".join(["python -m", f"benchmarks.{program.name}", name, *program.arguments])
        facts = [
            ("command", f"`{command}`"),
            ("machine", f"{machine()}, load {before:.1f} at the start"),
            ("date", f"{dt.date.today():%Y-%m-%d}"),
        ]
        if out is not None:
            write_between_marks(out, f"{program.name}: {name}", markdown(sections, facts))
