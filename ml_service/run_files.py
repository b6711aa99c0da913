"""Which files a run at work has, by their names. Imports no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = "runs"
NAME = re.compile(r"run-(\d+)[.-]")


def state_path(session_dir: Path, run_id: int) -> Path:
    """Of the JSON, which names the arrays beside it."""
    return session_dir / FOLDER / f"run-{run_id}.json"


def arrays_named_by(path: Path) -> str | None:
    """Name of the file of arrays; None where the JSON is not there or damaged."""
    try:
        return Path(json.loads(path.read_bytes())["arrays"]).name
    except (OSError, ValueError, KeyError, TypeError):
        return None


def run_of(path: Path) -> int | None:
    """To which run a file belongs; None for one that is half written or of something else."""
    match = NAME.match(path.name)
    return None if match is None else int(match[1])


def saved_run_ids(session_dir: Path) -> list[int]:
    """Runs that have files."""
    return sorted({run_id for path in run_files(session_dir) if (run_id := run_of(path)) is not None})


def remove_loops(session_dir: Path, run_ids: Iterable[int]) -> None:
    """Remove the files of runs that have ended."""
    unwanted = set(run_ids)
    for path in run_files(session_dir):
        if run_of(path) in unwanted:
            path.unlink(missing_ok=True)


def run_files(session_dir: Path) -> list[Path]:
    """All of them."""
    folder = session_dir / FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []
