"""`fewclick checkpoints ...`: the options; what they do stands in fewclick/checkpoint_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewclick.command_options import SessionOption, session_folder

MAX_ID = 2**63 - 1
"""Largest integer that SQLite and PostgreSQL store. Not imported, as that would load the backend for `--help`."""

app = typer.Typer(help="Saved heads: list, inspect, compare, switch, export, remove.", no_args_is_help=False)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def _id(value: str | int) -> int:
    return _whole(value, least=1)


def _count(value: str | int) -> int:
    return _whole(value, least=0)


def _whole(value: str | int, least: int) -> int:
    if not str(value).isdecimal() or not least <= int(value) <= MAX_ID:
        raise typer.BadParameter(f"found {value}, expected a whole number from {least}")
    return int(value)


IdArgument = Annotated[int, typer.Argument(metavar="ID", parser=_id, help="As `fewclick checkpoints` lists it.")]


@app.callback(invoke_without_command=True)
def checkpoints(context: typer.Context, session: SessionOption = None, as_json: JsonOption = False) -> None:
    """Saved heads, newest first; with a command: inspect, compare, switch, export, remove."""
    if context.invoked_subcommand is None:
        list_some(session, as_json)


@app.command("list")
def list_some(
    session: SessionOption = None,
    as_json: JsonOption = False,
    limit: Annotated[
        int | None,
        typer.Option(parser=_id, metavar="N", help="How many; else 50, as JSON all.", show_default=False),
    ] = None,
    before: Annotated[
        int | None, typer.Option(parser=_id, metavar="ID", help="Only older ones.", show_default=False)
    ] = None,
) -> None:
    """Saved heads, newest first, and which one predicts."""
    from fewclick import checkpoint_commands as commands

    commands.list_some(session_folder(session), limit=limit, before=before, as_json=as_json)


@app.command()
def inspect(checkpoint_id: IdArgument, session: SessionOption = None, as_json: JsonOption = False) -> None:
    """Where a checkpoint comes from: data, configuration, code, figures."""
    from fewclick import checkpoint_commands as commands

    commands.inspect(session_folder(session), checkpoint_id, as_json=as_json)


@app.command()
def compare(
    a: Annotated[int, typer.Argument(metavar="A", parser=_id)],
    b: Annotated[int, typer.Argument(metavar="B", parser=_id)],
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure both on the held-out labels of now.")
    ] = True,
    session: SessionOption = None,
    as_json: JsonOption = False,
) -> None:
    """How B differs from A: configuration, labels, figures, and both measured on the same images."""
    from fewclick import checkpoint_commands as commands

    commands.compare(session_folder(session), a, b, measure=measure, as_json=as_json)


@app.command()
def activate(checkpoint_id: IdArgument, session: SessionOption = None, as_json: JsonOption = False) -> None:
    """Let a checkpoint predict, until the next annotation changes."""
    from fewclick import checkpoint_commands as commands

    commands.activate(session_folder(session), checkpoint_id, as_json=as_json)


@app.command()
def rollback(session: SessionOption = None, as_json: JsonOption = False) -> None:
    """Let the head that predicted before the present one do so again, until the next annotation changes."""
    from fewclick import checkpoint_commands as commands

    commands.rollback(session_folder(session), as_json=as_json)


@app.command()
def release(session: SessionOption = None) -> None:
    """Let the live head predict again."""
    from fewclick import checkpoint_commands as commands

    commands.release(session_folder(session))


@app.command()
def rename(
    checkpoint_id: IdArgument,
    name: Annotated[str | None, typer.Argument(help="Left out: the name is taken away.", show_default=False)] = None,
    pin: Annotated[bool | None, typer.Option("--pin/--unpin", help="Never prune it.", show_default=False)] = None,
    session: SessionOption = None,
) -> None:
    """Give a checkpoint a name, or pin it; what has a name or a pin is never pruned."""
    from fewclick import checkpoint_commands as commands

    commands.rename(session_folder(session), checkpoint_id, name, pin)


@app.command()
def export(
    checkpoint_id: IdArgument,
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")],
    session: SessionOption = None,
) -> None:
    """Write a head with all that is needed to apply it elsewhere: `fewclick predict --checkpoint FOLDER IMAGE...`."""
    from fewclick import checkpoint_commands as commands

    commands.export(session_folder(session), checkpoint_id, folder)


@app.command()
def prune(
    keep: Annotated[
        int, typer.Option(parser=_count, metavar="N", help="Newest to keep, besides those that never go.")
    ] = 20,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    session: SessionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove old checkpoints and files that no checkpoint names; never what predicts, is pinned or has a name."""
    from fewclick import checkpoint_commands as commands

    raise typer.Exit(commands.prune(session_folder(session), keep=keep, dry_run=dry_run, yes=yes, as_json=as_json))


@app.command()
def delete(
    checkpoint_id: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    session: SessionOption = None,
) -> None:
    """Remove one checkpoint, its files too."""
    from fewclick import checkpoint_commands as commands

    raise typer.Exit(commands.delete(session_folder(session), checkpoint_id, yes=yes))
