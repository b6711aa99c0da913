"""How two checkpoints look side by side in a terminal of 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from backend.schemas.checkpoints import CheckpointComparison, Measurement
from fewclick.checkpoint_tables import head_name, new_console, plain_table, short
from initialization.report import counted

METRIC_NAMES = {
    "held_out.accuracy": "accuracy", "held_out.mean_iou": "mean IoU", "held_out.loss": "loss",
    "held_out.n_images": "held-out images", "held_out.n_samples": "held-out labels", "n_train": "training images",
}  # fmt: skip


def show_comparison(found: CheckpointComparison) -> None:
    """Two side by side; what is better is bold."""
    console = new_console()
    a, b = f"A = {found.a.id}", f"B = {found.b.id}"
    console.print(f"[bold]{a}[/bold] ({head_name(found.a)})  and  [bold]{b}[/bold] ({head_name(found.b)})")
    _show_config(console, found, a, b)
    _show_labels(console, found, a, b)
    table = plain_table("as measured when saved", a, b)
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


def _show_config(console: Console, found: CheckpointComparison, a: str, b: str) -> None:
    if not found.config:
        console.print("configuration: no difference", style="dim")
        return
    table = plain_table("configuration", a, b)
    for row in found.config:
        table.add_row(escape(row.key), short(row.a), short(row.b))
    console.print(Padding(table, (1, 0, 0, 0)))
    console.print(f"{found.config_equal} more keys are equal", style="dim")


def _show_labels(console: Console, found: CheckpointComparison, a: str, b: str) -> None:
    data = found.data
    if data is None:
        console.print(f"labels: unknown, {found.data_problem}", style="yellow", markup=False)
        return
    if data.identical:
        console.print("labels: the same", style="dim")
        return
    table = plain_table("labels", a, b, "added", "removed", "changed", right=(1, 2, 3, 4, 5))
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
    table = plain_table(f"now, on the same {counted(held['n_samples'], 'label')}", a, b)
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
            console.print(f"{name}: {side['note']}", style="yellow", markup=False)
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


def _figure(value: float | None, is_better: bool, *, is_count: bool = False) -> str:
    if value is None:
        return "unknown"
    text = f"{value:,.0f}" if is_count else f"{value:.3f}"
    return f"[bold green]{text}[/bold green]" if is_better else text
