"""Tables of measurements: for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Section:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def show(console: Console, tables: Sequence[Section]) -> None:
    """Print the tables."""
    for section in tables:
        table = Table(title=section.title)
        for column in section.columns:
            table.add_column(column)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def markdown(tables: Sequence[Section], facts: Sequence[tuple[str, str]]) -> str:
    """The tables and how they came to be, as Markdown."""
    lines = [f"- {name}: {value}" for name, value in facts]
    for section in tables:
        lines += ["", f"### {section.title}", "", _row(section.columns), _row(["---"] * len(section.columns))]
        lines += [_row(row) for row in section.rows]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def section_of(title: str, rows: Sequence[Any], columns: Mapping[str, str]) -> Section:
    """A table of dataclass instances.

    Args:
        columns: Heading of each field that is shown.
    """
    cells = (tuple(_cell(getattr(row, field)) for field in columns) for row in rows)
    return Section(title, tuple(columns.values()), tuple(cells))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        if 0.9 < value < 1:  # a similarity: what is missing to 1 counts
            return f"{value:.5f}"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def marks(part: str) -> tuple[str, str]:
    """Start and end of what a part of a program writes into a document.

    Args:
        part: `PROGRAM` or `PROGRAM: NAME` for `benchmarks/PROGRAM.py`.
    """
    program = part.partition(":")[0]
    return (
        f"<!-- {part}: written by benchmarks/{program}.py, do not edit between the marks -->",
        f"<!-- {part}: end -->",
    )


def write_between_marks(path: Path, part: str, text: str) -> None:
    """Replace what stands between the marks of a part; a document without them gets them at its end."""
    start, end = marks(part)
    document = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    if start not in document:
        document = f"{document.rstrip()}\n\n{start}\n{end}\n"
    before, rest = document.split(start, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{start}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """The machine in words: processor, cores that this process may use, operating system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
