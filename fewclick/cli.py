"""The command line. Each command imports what it needs when it runs, so that `--help` and errors come at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from backend.schemas.export import ExportFormat, ExportOptions, ExportScope, MaskSource, Outlines
from db.errors import FewclickError
from fewclick.checkpoint_cli import app as checkpoints_app
from fewclick.command_options import SessionOption, session_folder
from fewclick.feature_cli import app as features_app
from models.errors import ModelsError

DEFAULT_PORT = 8000
LAST_PORT = 65535
BAD_INPUT = 2

app = typer.Typer(
    name="fewclick",
    help="From a folder of images to labels and a trained model in a few clicks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(features_app, name="features")
app.add_typer(checkpoints_app, name="checkpoints")


def _port(value: str | int) -> int:
    if not str(value).isdecimal() or int(value) > LAST_PORT:
        raise typer.BadParameter(f"found {value}, expected a whole number from 0 to {LAST_PORT}")
    return int(value)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("fewclick"))
        raise typer.Exit


SessionsOption = Annotated[
    list[Path] | None,
    typer.Option("--session", help="Session folder; give it several times to serve several.", show_default=False),
]
HostOption = Annotated[str, typer.Option(help="Address of this machine to listen on.")]
PortOption = Annotated[int, typer.Option(parser=_port, metavar="N", help="Port; 0 takes a free one.")]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def init(context: typer.Context) -> None:
    """Make a session from a YAML file: --config FILE [--max-files N] [--append] [--background] [--yes]."""
    from initialization.init_session import main as init_session

    raise typer.Exit(init_session(context.args, program="fewclick init"))


@app.command()
def up(
    session: SessionsOption = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file: make its session first, or add new images to it.", show_default=False),
    ] = None,
    sessions_root: Annotated[
        Path | None,
        typer.Option(
            envvar="FEWCLICK_SESSIONS_ROOT",
            help="Folder of sessions: the start page lists them; without --session the one changed last is served.",
            show_default=False,
            exists=True,
            file_okay=False,
        ),
    ] = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = DEFAULT_PORT,
) -> None:
    """Serve sessions: backend, ML service and extraction service as one program, until Ctrl+C."""
    from fewclick import supervisor

    sessions = list(session or [])
    if config is not None:
        from fewclick.initialize import prepare_session
        from fewclick.listener import open_listener

        # Before the work: a port in use should be told at once.
        open_listener(host, port).close()
        sessions.insert(0, prepare_session(config))
    if sessions_root is not None and not sessions:
        from fewclick.sessions import newest_session

        sessions = [newest_session(sessions_root)]
    raise typer.Exit(supervisor.up(sessions or [session_folder(None)], host, port, sessions_root))


@app.command()
def serve(session: SessionsOption = None, host: HostOption = "127.0.0.1", port: PortOption = DEFAULT_PORT) -> None:
    """Serve sessions without an ML service; start that by `python -m ml_service.train`."""
    from fewclick.listener import address_of, open_listener
    from fewclick.sessions import describe_sessions

    mounts = describe_sessions(session or [session_folder(None)])
    with open_listener(host, port) as listener:
        from fewclick import web

        typer.echo(f"serving on {address_of(listener)}/")
        web.serve(mounts, listener)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo sessions are kept.")] = Path("session/demo"),
    host: HostOption = "127.0.0.1",
    port: PortOption = DEFAULT_PORT,
) -> None:
    """Make a demo session for each task, then serve both until Ctrl+C."""
    from fewclick import supervisor
    from fewclick.demo import make_demo
    from fewclick.listener import open_listener

    # Before the work: a port in use should be told at once.
    open_listener(host, port).close()
    raise typer.Exit(supervisor.up(make_demo(folder), host, port))


@app.command()
def status(session: SessionOption = None) -> None:
    """Where a session stands: images, annotations, features, training."""
    from fewclick.reports import print_status

    print_status(session_folder(session))


@app.command(name="next")
def next_image(
    session: SessionOption = None,
    strategy: Annotated[str | None, typer.Option(help="Left out: the session's.", show_default=False)] = None,
    current_id: Annotated[int | None, typer.Option(help="The image just seen: never the answer.")] = None,
) -> None:
    """Print id and path of the image to label next; exit status 1 when none is left."""
    from fewclick.reports import print_next

    if not print_next(session_folder(session), strategy, current_id):
        raise typer.Exit(1)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="File to write; - is standard output.")],
    kind: Annotated[
        ExportFormat | None, typer.Option("--format", help="Told by the ending of FILE where left out.")
    ] = None,
    scope: Annotated[
        ExportScope, typer.Option(help="Masks of labelled images only, or of all predicted ones.")
    ] = ExportScope.LABELED,
    history: Annotated[bool, typer.Option("--history", help="json: every earlier annotation too.")] = False,
    masks: Annotated[
        MaskSource,
        typer.Option(help="What masks say: what people drew, the prediction, or that where nothing is drawn (merged)."),
    ] = MaskSource.MERGED,
    outlines: Annotated[Outlines, typer.Option(help="coco: how masks are told.")] = Outlines.RLE,
    session: SessionOption = None,
) -> None:
    """Write the annotations to a file; the server need not run."""
    from fewclick.file_export import STANDARD_OUTPUT, export_to_file, format_of, left_out
    from initialization.report import format_bytes

    chosen = kind or format_of(output)
    options = ExportOptions(scope, history, masks, outlines)
    export_to_file(session_folder(session), output, chosen, options)
    if output != STANDARD_OUTPUT:
        size = format_bytes(output.stat().st_size)
        typer.echo(f"wrote {output} ({chosen.value}, {size}){left_out(session_folder(session), chosen, options)}")


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", show_default=False)],
    out: Annotated[Path, typer.Option(help="New or empty folder for masks and predictions.csv.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Id, or a folder of `checkpoints export`; else what predicts now.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Of the extractor of an exported head: .pth or Hugging Face folder.")
    ] = None,
    session: SessionOption = None,
) -> None:
    """Apply a saved head to new images; exit status 1 if one could not be read."""
    from fewclick.predict_command import predict as run

    raise typer.Exit(run(session_folder(session), checkpoint, images, out, weights))


@app.command()
def adopt(
    checkpoint_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="A checkpoint of kind adapter.", show_default=False)
    ] = None,
    base: Annotated[bool, typer.Option("--base", help="Go back to the weights without any adapter.")] = False,
    session: SessionOption = None,
) -> None:
    """Go on with a fine-tuned extractor: annotations stay, features are made anew."""
    from fewclick.adopt_command import run

    run(session_folder(session), checkpoint_id, base=base)


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print it.")
    ] = False,
) -> None:
    del show_version


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program: exit status 0 on success, 2 on bad input with one line on stderr."""
    try:
        status = app(args=arguments, standalone_mode=False)
    except typer.TyperException as error:
        # Without a command the help has been shown, and there is nothing more to say.
        if error.format_message():
            _fail(f"{error.format_message()} (see `{_named_command(error)} --help`)")
        sys.exit(BAD_INPUT)
    except typer.Abort:
        sys.exit(130)
    except (FewclickError, ModelsError) as error:
        _fail(str(error))
    sys.exit(status or 0)


def _named_command(error: typer.TyperException) -> str:
    """The command that was not understood, as people call it."""
    words: list[str] = []
    context = getattr(error, "ctx", None)
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(["fewclick", *words])


def _fail(message: str) -> None:
    print(f"fewclick: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
