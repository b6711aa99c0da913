"""What a person sees in the terminal: a live bar where there is one, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.table import Column, Table
from rich.text import Text

PLAIN_INTERVAL_S = 5.0
MAX_LISTED = 10
LABEL_WIDTH = 10


class Advance(Protocol):
    """Moves a progress bar on."""

    def __call__(self, count: int = 1) -> None:
        """`count` more are done."""
        ...


class Report:
    """Writes to standard output; `error` and nothing else writes to standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._is_live = self._console.is_terminal

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer."""
        return self._is_live and sys.stdin.isatty()

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def fact(self, label: str, text: str, *, style: str = "") -> None:
        """One line of a label and what there is to say."""
        self._console.print(Text.assemble((f"  {label:<{LABEL_WIDTH}} ", "dim"), (text, style)), soft_wrap=True)

    def note(self, text: str) -> None:
        """Something to know that is no fault."""
        self._console.print(Text(f"  {'':<{LABEL_WIDTH}} {text}", style="yellow"), soft_wrap=True)

    def listing(self, label: str, lines: Sequence[str]) -> None:
        """Several lines under one label; a long list is cut, with its length."""
        for position, line in enumerate(lines[:MAX_LISTED]):
            self.fact(label if position == 0 else "", line, style="yellow")
        if len(lines) > MAX_LISTED:
            self.fact("", f"... and {len(lines) - MAX_LISTED} more", style="yellow")

    def ask(self, question: str) -> bool:
        """Yes unless the answer begins with n."""
        answer = self._console.input(f"\n  {question} [bold]\\[Y/n][/bold] ")
        return not answer.strip().lower().startswith("n")

    @contextmanager
    def progress(self, label: str, total: int, unit: str = "images") -> Iterator[Advance]:
        """A bar with rate and time left."""
        if total == 0:
            yield _ignore
        elif self._is_live:
            with _bar(self._console, unit) as bar:
                task = bar.add_task(label, total=total)
                yield lambda count=1: bar.advance(task, count)
        else:
            yield _PlainProgress(self._console, label, total, unit)

    def summary(
        self,
        rows: Sequence[tuple[str, str]],
        failures: Sequence[tuple[str, str]],
        then: str | None,
        *,
        is_usable: bool = True,
    ) -> None:
        """The closing table: what there is now, what failed and why, and what to run next, if that is to be told."""
        self._console.print()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", min_width=LABEL_WIDTH)
        table.add_column(overflow="fold")
        for label, text in rows:
            table.add_row(label, Text(text))
        title, style = ("no image can be used", "red") if not is_usable else ("session ready", "green")
        self._console.print(Panel(table, title=title, title_align="left", border_style=style, expand=False))
        if failures:
            self._failures(failures)
        if is_usable and then is not None:
            self._console.print(Text.assemble(("  next       ", "dim"), (then, "bold")), soft_wrap=True)
            self._console.print()

    def _failures(self, failures: Sequence[tuple[str, str]]) -> None:
        count = len(failures)
        self._console.print(Text(f"  {counted(count, 'image')} left out:", style="yellow"))
        for path, reason in failures[:MAX_LISTED]:
            self._console.print(Text.assemble("    ", (path, "bold"), "  ", (reason, "dim")), soft_wrap=True)
        if count > MAX_LISTED:
            self._console.print(f"    ... and {count - MAX_LISTED} more; the page lists them under features: failed")
        self._console.print()


def print_error(message: str) -> None:
    """One line on standard error."""
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)


def counted(count: int, noun: str) -> str:
    """ "1 image", "12,000 images"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def format_duration(seconds: float) -> str:
    """For people: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(size: float) -> str:
    """For people: 312 kB, 4.5 MB, 1.9 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


class _RateColumn(ProgressColumn):
    """Pace and time left: `12.3 images/s, 40 s left`."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(_pace(task.finished_speed or task.speed, task.time_remaining, self._unit), style="cyan")


def _pace(speed: float | None, seconds_left: float | None, unit: str) -> str:
    if not speed:
        return ""
    rate = f"{speed:.1f} {unit}/s" if speed >= 1 else f"{1 / speed:.1f} s each"
    return rate if not seconds_left else f"{rate}, {format_duration(seconds_left)} left"


def _bar(console: Console, unit: str) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn(f"{{task.description:<{LABEL_WIDTH}}}"),
        BarColumn(bar_width=24, complete_style="green", finished_style="green"),
        MofNCompleteColumn(),
        _RateColumn(unit),
        console=console,
    )


def _ignore(count: int = 1) -> None:
    """There is nothing to show."""


class _PlainProgress:
    """A line now and then, and one at the end."""

    def __init__(self, console: Console, label: str, total: int, unit: str) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._started = self._last_line = time.monotonic()

    def __call__(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._last_line < PLAIN_INTERVAL_S and self._done < self._total:
            return
        self._last_line = now
        speed = self._done / max(now - self._started, 1e-6)
        pace = _pace(speed, (self._total - self._done) / speed, self._unit)
        self._console.print(
            f"  {self._label:<{LABEL_WIDTH}} {self._done:,}/{self._total:,}  {pace}", soft_wrap=True, markup=False
        )
