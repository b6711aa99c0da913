"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SessionOption = Annotated[
    Path | None,
    typer.Option("--session", help="Session folder; else FEWCLICK_SESSION, else ./session.", show_default=False),
]


def session_folder(named: Path | None) -> Path:
    """The named one, or what the environment says."""
    from db.session_dir import resolve_session_dir

    return named if named is not None else resolve_session_dir()
