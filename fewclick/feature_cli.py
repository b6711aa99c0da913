"""`fewclick features ...`: the options; what they do stands in fewclick/feature_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewclick.command_options import SessionOption, session_folder

app = typer.Typer(help="Cached features of the images.", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def features(
    context: typer.Context,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the extractor itself: published values, or with --extractor.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Meta's .pth or a Hugging Face folder; else the session's.", show_default=False)
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="The golden image, COCO val2017 000000039769.", show_default=False)
    ] = None,
    extractor: Annotated[
        str | None, typer.Option(help="By name: one that is not published is checked for its contract.")
    ] = None,
    session: SessionOption = None,
) -> None:
    """Cached features of the images."""
    if context.invoked_subcommand is not None:
        return
    if not verify:
        raise typer.BadParameter("name a command, or --verify")
    from fewclick.feature_verify import verify as run

    raise typer.Exit(run(session_folder(session), weights, image, extractor))


@app.command("status")
def features_status(session: SessionOption = None) -> None:
    """What is stored of which images, how, and why others have none."""
    from fewclick.feature_commands import print_status

    print_status(session_folder(session))


@app.command("verify")
def features_verify(
    full: Annotated[
        bool, typer.Option("--full", help="Read every image, not only those with another size or time.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Have made again what is missing, damaged or changed.")
    ] = False,
    session: SessionOption = None,
) -> None:
    """Compare images and features with the database; exit status 1 if anything is wrong."""
    from fewclick.feature_commands import verify as run

    raise typer.Exit(run(session_folder(session), full=full, mend=repair))


@app.command("prune")
def features_prune(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    shared: Annotated[bool, typer.Option("--shared", help="Also where other sessions may use them.")] = False,
    session: SessionOption = None,
) -> None:
    """Remove features that no image of the session has, and those of other extractors."""
    from fewclick.feature_commands import prune as run

    raise typer.Exit(run(session_folder(session), yes=yes, shared=shared))


@app.command("recompute")
def features_recompute(
    failed: Annotated[bool, typer.Option("--failed", help="Images that failed.")] = False,
    image: Annotated[
        list[int] | None, typer.Option(help="Id of an image; several times, if you like.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All images.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    session: SessionOption = None,
) -> None:
    """Have features made anew, by `fewclick up` or init_session.py."""
    from fewclick.feature_commands import recompute as run

    status = run(session_folder(session), failed=failed, image_ids=image or (), everything=everything, yes=yes)
    raise typer.Exit(status)
