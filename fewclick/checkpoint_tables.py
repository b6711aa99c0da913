"""How checkpoints look in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from backend.schemas.checkpoints import (
    CheckpointDetails,
    CheckpointOut,
    PruneResult,
)
from backend.services.checkpoint_difference import flatten
from backend.services.checkpoints import CheckpointPage
from db.enums import CheckpointKind
from db.tasks import TASKS, Task
from fewclick.percent import percent
from initialization.report import counted, format_bytes

MIN_SAMPLES, MIN_IMAGES = 5, 2
"""Held-out labels and images below which a share says next to nothing; as in ml_service/quality_figures.py."""


def show_list(found: Sequence[CheckpointOut]) -> None:
    """One line each; what predicts is marked."""
    console = new_console()
    if not found:
        console.print("no checkpoints yet: the first is saved once something is labelled")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("id", justify="right", no_wrap=True, style="bold")
    table.add_column("head", no_wrap=True)
    table.add_column("held-out", no_wrap=True)
    table.add_column("labels", justify="right", no_wrap=True)
    table.add_column("saved (UTC)", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in found:
        size = "gone" if row.size_bytes is None else format_bytes(row.size_bytes)
        saved = row.created_at.isoformat(" ", "minutes")[:16]
        labels = "-" if row.n_labels is None else f"{row.n_labels:,}"
        table.add_row(str(row.id), head_name(row), held_out(row), labels, saved, size, _marks(row))
    console.print(Padding(table, (1, 0, 0, 0)))


def show_rest(page: CheckpointPage) -> None:
    """Where the list goes on."""
    if page.next_cursor is not None:
        text = f"{len(page.items)} of {page.total}, the older ones: --before {page.next_cursor}"
        new_console().print(text, style="dim")


def show_who_predicts(head: CheckpointOut | None) -> None:
    """Who it is, and for how long; there is nothing to activate where it predicts already."""
    if head is None:
        text = "the live head predicts"
    elif head.active:
        text = f"checkpoint {head.id} predicts until the next annotation changes"
    else:
        text = f"the live head predicts: checkpoint {head.id}, no need to activate it"
    new_console().print(text, style="dim")


def show_details(details: CheckpointDetails) -> None:
    """Everything that is known of one."""
    console, said = new_console(), details.description
    console.print(f"[bold]Checkpoint {details.id}[/bold]  {head_name(details)}  ", _marks(details))
    grid = _grid()
    grid.add_row("saved", details.created_at.isoformat(" ", "seconds")[:19] + " UTC")
    grid.add_row("parent", "-" if details.parent_id is None else f"checkpoint {details.parent_id}")
    grid.add_row("held-out", held_out(details))
    grid.add_row("file", "gone" if details.size_bytes is None else format_bytes(details.size_bytes))
    if said:
        _add_origin(grid, said)
    if details.kind is CheckpointKind.ADAPTER:
        use = f"`fewclick adopt {details.id}` has the features made with it, `fewclick adopt --base` goes back"
        grid.add_row("use", use)
    elif details.problem is not None:
        grid.add_row("problem", f"[red]{escape(details.problem)}[/red]")
    console.print(grid)
    _show_data(console, details)
    if said.get("config"):
        table = plain_table("configuration", "")
        for key, value in sorted(flatten(said["config"]).items()):
            table.add_row(key, short(value))
        console.print(Padding(table, (1, 0, 0, 0)))


def show_plan(plan: PruneResult) -> None:
    """What goes, and what stays and why."""
    console = new_console()
    if plan.removed:
        console.print("[bold]these go:[/bold]")
        show_list_rows(console, plan.removed)
    if plan.lost_ids:
        console.print(f"without a file: {', '.join(map(str, plan.lost_ids))}")
    if plan.leftover_files:
        console.print(f"{counted(plan.leftover_files, 'file')} that nothing refers to any more")
    if plan.epochs:
        console.print(f"losses of {counted(plan.epochs, 'epoch')} of old runs without a checkpoint")
    if not (plan.removed or plan.lost_ids or plan.leftover_files or plan.epochs):
        console.print("nothing to remove")
    else:
        console.print(f"{format_bytes(plan.freed_bytes)} together")
    for row in plan.kept:
        console.print(f"stays: {row.id}, {row.reason}", style="dim", markup=False)


def show_list_rows(console: Console, rows: Sequence[CheckpointOut]) -> None:
    """Short lines for a question."""
    for row in rows:
        saved = row.created_at.isoformat(" ", "minutes")[:16]
        console.print(f"  {row.id:>5}  {head_name(row):<9} {saved}  held-out {held_out(row)}")


def head_name(row: CheckpointOut) -> str:
    """live, run 3, adapter."""
    if row.kind is CheckpointKind.LIVE:
        return "live"
    number = "" if row.run_id is None else f" {row.run_id}"
    return f"{row.kind.value}{number}"


def held_out(row: CheckpointOut) -> str:
    """93 % of 24."""
    measured = row.metrics.get("held_out")
    if not isinstance(measured, Mapping) or not isinstance(measured.get("accuracy"), int | float):
        return "unknown"
    samples = measured.get("n_samples", 0)
    enough = samples >= MIN_SAMPLES and measured.get("n_images", 0) >= MIN_IMAGES
    return f"{percent(measured['accuracy'])} of {samples}" if enough else f"too few: {samples}"


def _add_origin(grid: Table, said: Mapping[str, Any]) -> None:
    extractor, code = said["extractor"], said.get("code") or {}
    made = f"{extractor.get('name')} ({extractor.get('weights_hash')}), {_sides(said)}"
    grid.add_row("extractor", escape(made))
    classes = zip(said["class_ids"], said["class_names"], strict=False)
    grid.add_row("classes", escape(", ".join(f"{name} ({class_id})" for class_id, name in classes)))
    commit = (
        f", commit {code['commit'][:12]}{'+' if code['commit'].endswith('+') else ''}" if code.get("commit") else ""
    )
    grid.add_row("code", escape(f"fewclick {code.get('fewclick', 'unknown')}{commit}"))
    libraries = ", ".join(f"{name} {number}" for name, number in (code.get("libraries") or {}).items())
    grid.add_row("libraries", escape(libraries) or "unknown")
    grid.add_row("seed", "unknown" if said.get("seed") is None else str(said["seed"]))
    grid.add_row("data", said["dataset_hash"][:16])


def _sides(said: Mapping[str, Any]) -> str:
    task = TASKS.get(said.get("task") or "")
    if task is not None and not task.reads_patches:
        return "pooled vectors, made at sizes of their own"
    return f"resize {said['extractor'].get('resize')} px"


def _show_data(console: Console, details: CheckpointDetails) -> None:
    data = details.data
    if data is None:
        console.print(f"training data: {details.data_problem}", style="yellow", markup=False)
        return
    is_answers = details.description.get("task") == Task.MULTILABEL.name
    labels = (
        counted(data.n_images, "answered image")
        if is_answers
        else f"{counted(data.n_labels, 'label')} on {counted(data.n_images, 'image')}"
    )
    console.print(f"\n{labels}: {data.n_training_images} to train, {data.n_validation_images} held out")
    # A live head learns from all of them, that of a run only from those to train.
    table = plain_table(
        "class", "images that have it" if is_answers else "labels", "held out", "by origin", right=(1, 2)
    )
    for row in data.by_class:
        origins = ", ".join(f"{count} {origin}" for origin, count in row.by_origin.items())
        table.add_row(escape(row.name), f"{row.total:,}", f"{row.held_out:,}", origins)
    console.print(Padding(table, (1, 0, 0, 0)))


def _marks(row: CheckpointOut) -> Text:
    marks = []
    if row.in_force:
        marks.append(("predicts (active)" if row.active else "predicts", "green"))
    if row.pinned:
        marks.append(("pinned", "cyan"))
    if row.name is not None:
        marks.append((row.name, "bold"))
    return Text("  ").join(Text(text, style=style) for text, style in marks)


def plain_table(*titles: str, right: Sequence[int] = ()) -> Table:
    """Without a frame; `right` are the columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, title in enumerate(titles):
        table.add_column(title, justify="right" if position in right else "left", overflow="fold")
    return table


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def short(value: Any) -> str:
    """A value of a configuration, escaped and cut to 60 characters."""
    text = value if isinstance(value, str) else "-" if value is None else str(value)
    return escape(text if len(text) <= 60 else f"{text[:57]}...")


def new_console() -> Console:
    """Where the tables are printed to."""
    return Console(highlight=False)
