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
    CheckpointComparison,
    CheckpointDetails,
    CheckpointOut,
    Measurement,
    PruneResult,
)
from db.enums import CheckpointKind
from db.tasks import TASKS, Task
from initialization.report import counted, format_bytes

MIN_SAMPLES, MIN_IMAGES = 5, 2
"""Held-out labels and images below which a share says next to nothing; as in ml_service/quality_figures.py."""
METRIC_NAMES = {
    "held_out.accuracy": "accuracy", "held_out.mean_iou": "mean IoU", "held_out.loss": "loss",
    "held_out.n_images": "held-out images", "held_out.n_samples": "held-out labels", "n_train": "training images",
}  # fmt: skip


def show_list(found: Sequence[CheckpointOut]) -> None:
    """One line each, and who predicts."""
    console = _console()
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
    active = next((row for row in found if row.active), None)
    if active is None:
        console.print("the live head predicts", style="dim")
    else:
        console.print(f"checkpoint {active.id} predicts until the next annotation changes", style="dim")


def show_details(details: CheckpointDetails) -> None:
    """Everything that is known of one."""
    console, said = _console(), details.description
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
        table = _plain_table("configuration", "")
        for key, value in sorted(flatten(said["config"]).items()):
            table.add_row(key, _short(value))
        console.print(Padding(table, (1, 0, 0, 0)))


def show_comparison(found: CheckpointComparison) -> None:
    """Two side by side; what is better is bold."""
    console = _console()
    a, b = f"A = {found.a.id}", f"B = {found.b.id}"
    console.print(f"[bold]{a}[/bold] ({head_name(found.a)})  and  [bold]{b}[/bold] ({head_name(found.b)})")
    _show_config(console, found, a, b)
    _show_labels(console, found, a, b)
    table = _plain_table("as measured when saved", a, b)
    for metric in found.metrics:
        # On other labels, or on few, the larger number is not the better head.
        better = metric.better if found.data is not None and found.data.same_held_out else None
        is_count = metric.key.rpartition(".")[2].startswith("n_")
        pair = ((metric.a, better == "a"), (metric.b, better == "b"))
        cells = (_figure(value, is_better, is_count=is_count) for value, is_better in pair)
        table.add_row(METRIC_NAMES.get(metric.key, metric.key), *cells)
    if found.metrics:
        console.print(Padding(table, (1, 0, 0, 0)))
    if found.data is not None and found.metrics and not found.data.same_held_out:
        console.print(
            "not on the same held-out labels: these figures cannot be compared with each other", style="yellow"
        )
    _show_measurement(console, found.measurement, a, b)


def show_plan(plan: PruneResult) -> None:
    """What goes, and what stays and why."""
    console = _console()
    if plan.removed:
        console.print("[bold]these go:[/bold]")
        show_list_rows(console, plan.removed)
    if plan.lost_ids:
        console.print(f"without a file: {', '.join(map(str, plan.lost_ids))}")
    if plan.leftover_files:
        console.print(
            f"{counted(plan.leftover_files, 'file')} that no checkpoint names, left by a process that was killed"
        )
    if not (plan.removed or plan.lost_ids or plan.leftover_files):
        console.print("nothing to remove")
    else:
        console.print(f"{format_bytes(plan.freed_bytes)} together")
    for row in plan.kept:
        console.print(f"stays: {row.id}, {row.reason}", style="dim")


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
    return f"{measured['accuracy']:.0%} of {samples}" if enough else f"too few: {samples}"


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def _add_origin(grid: Table, said: Mapping[str, Any]) -> None:
    extractor, code = said["extractor"], said.get("code") or {}
    made = f"{extractor.get('name')} ({extractor.get('weights_hash')}), {_sides(said)}"
    grid.add_row("extractor", escape(made))
    classes = zip(said["class_ids"], said["class_names"], strict=False)
    grid.add_row("classes", escape(", ".join(f"{name} ({class_id})" for class_id, name in classes)))
    commit = (
        f", commit {code['commit'][:12]}{'+' if code['commit'].endswith('+') else ''}" if code.get("commit") else ""
    )
    grid.add_row("code", f"fewclick {code.get('fewclick', 'unknown')}{commit}")
    libraries = ", ".join(f"{name} {number}" for name, number in (code.get("libraries") or {}).items())
    grid.add_row("libraries", libraries or "unknown")
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
        console.print(f"training data: {details.data_problem}", style="yellow")
        return
    is_answers = details.description.get("task") == Task.MULTILABEL.name
    labels = (
        counted(data.n_images, "answered image")
        if is_answers
        else f"{counted(data.n_labels, 'label')} on {counted(data.n_images, 'image')}"
    )
    console.print(f"\n{labels}: {data.n_training_images} to train, {data.n_validation_images} held out")
    # A live head learns from all of them, that of a run only from those to train.
    table = _plain_table(
        "class", "images that have it" if is_answers else "labels", "held out", "by origin", right=(1, 2)
    )
    for row in data.by_class:
        origins = ", ".join(f"{count} {origin}" for origin, count in row.by_origin.items())
        table.add_row(escape(row.name), f"{row.total:,}", f"{row.held_out:,}", origins)
    console.print(Padding(table, (1, 0, 0, 0)))


def _show_config(console: Console, found: CheckpointComparison, a: str, b: str) -> None:
    if not found.config:
        console.print("configuration: no difference", style="dim")
        return
    table = _plain_table("configuration", a, b)
    for row in found.config:
        table.add_row(escape(row.key), _short(row.a), _short(row.b))
    console.print(Padding(table, (1, 0, 0, 0)))
    console.print(f"{found.config_equal} more keys are equal", style="dim")


def _show_labels(console: Console, found: CheckpointComparison, a: str, b: str) -> None:
    data = found.data
    if data is None:
        console.print(f"labels: unknown, {found.data_problem}", style="yellow")
        return
    if data.identical:
        console.print("labels: the same", style="dim")
        return
    table = _plain_table("labels", a, b, "added", "removed", "changed", right=(1, 2, 3, 4, 5))
    for row in data.classes:
        changed = f"+{row.changed_to} -{row.changed_from}" if row.changed_to or row.changed_from else "0"
        table.add_row(escape(row.name), str(row.a), str(row.b), str(row.added), str(row.removed), changed)
    console.print(Padding(table, (1, 0, 0, 0)))
    console.print(
        f"images: {data.images_added} added, {data.images_removed} removed, {data.images_changed} changed", style="dim"
    )


def _show_measurement(console: Console, measurement: Measurement, a: str, b: str) -> None:
    result = measurement.result
    if result is None:
        return
    held = result["held_out"]
    table = _plain_table(f"now, on the same {counted(held['n_samples'], 'label')}", a, b)
    sides = [result["a"], result["b"]]
    for key, name in (("accuracy", "accuracy"), ("mean_iou", "mean IoU"), ("loss", "loss")):
        values = [None if side["quality"] is None else side["quality"].get(key) for side in sides]
        table.add_row(name, *(_figure(value, False) for value in values))
    table.add_row("measured", *(side["how"] or "not" for side in sides))
    console.print(Padding(table, (1, 0, 0, 0)))
    difference, agreement = result["difference"], result["agreement"]
    if difference is not None:
        error = difference["standard_error"]
        spread = "" if error is None else f" ± {error:.3f} (standard error over {counted(held['n_images'], 'image')})"
        is_chance = error is None or abs(difference["accuracy"]) < 2 * error
        verdict = ": no more than chance" if is_chance else ""
        console.print(f"accuracy B - A: {difference['accuracy']:+.3f}{spread}{verdict}")
    if agreement is not None:
        where = f"{agreement['of']} of {counted(agreement['n_images'], 'image')} drawn at random"
        console.print(f"both say the same on {agreement['share']:.1%} of the {where}")
    for name, side in ((a, sides[0]), (b, sides[1])):
        if side["note"]:
            console.print(f"{name}: {side['note']}", style="yellow")
    if any(side["how"] == "refitted" for side in sides):
        console.print(
            "refitted: a live head learns from held-out labels too; measured is a head of its labels without them",
            style="dim",
        )
    if held["left_out_images"] or held["left_out_samples"]:
        console.print(
            f"left out: {counted(held['left_out_images'], 'image')} that one has learned from, "
            f"{counted(held['left_out_samples'], 'label')} of classes that not both know",
            style="dim",
        )


def _marks(row: CheckpointOut) -> Text:
    marks = []
    if row.in_force:
        marks.append(("predicts" if not row.active else "active", "green"))
    if row.pinned:
        marks.append(("pinned", "cyan"))
    if row.name is not None:
        marks.append((row.name, "bold"))
    return Text("  ").join(Text(text, style=style) for text, style in marks)


def _plain_table(*titles: str, right: Sequence[int] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, title in enumerate(titles):
        table.add_column(title, justify="right" if position in right else "left", overflow="fold")
    return table


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _figure(value: float | None, is_better: bool, *, is_count: bool = False) -> str:
    if value is None:
        return "unknown"
    text = f"{value:,.0f}" if is_count else f"{value:.3f}"
    return f"[bold green]{text}[/bold green]" if is_better else text


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "-" if value is None else str(value)
    return escape(text if len(text) <= 60 else f"{text[:57]}...")


def _console() -> Console:
    return Console(highlight=False)
