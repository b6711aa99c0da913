"""Initialization as a program of its own: it loads torch, which the supervisor does without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from db.errors import FewclickError
from db.session_dir import PROJECT_ROOT, SESSION_VARIABLE


class InitializeError(FewclickError):
    """A session could not be made; why stands in what init has printed."""


def run_init(
    config_file: Path, *options: str, environment: Mapping[str, str] = os.environ, is_quiet: bool = False
) -> None:
    """Make the session of a YAML file, or go on with it.

    Args:
        is_quiet: Whether what init says is shown only where it did not succeed.

    Raises:
        InitializeError: init did not succeed.
    """
    command = [sys.executable, "-m", "initialization.init_session", "--config", str(config_file.resolve()), *options]
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_quiet else None,
        stderr=subprocess.STDOUT if is_quiet else None,
        check=False,
    )
    if done.returncode != 0:
        if is_quiet:
            sys.stderr.write(done.stdout.decode(errors="replace"))
        raise InitializeError(
            f"the session of {config_file} could not be made (init ended with status {done.returncode}, its message "
            "stands above): what is finished is kept, run the same command again to go on"
        )


def prepare_session(config_file: Path) -> Path:
    """Register the images of a YAML file and leave their features to the extraction service; the session folder.

    What an existing session holds stays.

    Raises:
        FewclickError: the file or the session cannot be used.
    """
    from initialization.config import session_dir_of
    from initialization.config_file import load_config

    # From the folder of the person: init runs in another, and a session folder may be relative.
    session_dir = session_dir_of(load_config(config_file), os.environ)
    environment = os.environ | {SESSION_VARIABLE: str(session_dir)}
    run_init(config_file, "--background", "--append", "--yes", "--no-next", environment=environment)
    return session_dir
