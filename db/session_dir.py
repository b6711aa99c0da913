"""Where the session folder is, when no configuration file names it."""

from __future__ import annotations

import os
from pathlib import Path

from db.database import DATABASE_FILE_NAME

SESSION_VARIABLE = "FEWCLICK_SESSION"
DEFAULT_NAME = "session"
PROJECT_ROOT = Path(__file__).resolve().parents[1]


def resolve_session_dir() -> Path:
    """FEWCLICK_SESSION if set, else ./session if it holds a session, else the project's own session folder.

    The last lets `cd backend && uvicorn main:app` find what `make demo` made. The folder need not exist.
    """
    named = os.environ.get(SESSION_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    here = Path.cwd() / DEFAULT_NAME
    return here if (here / DATABASE_FILE_NAME).is_file() else PROJECT_ROOT / DEFAULT_NAME
