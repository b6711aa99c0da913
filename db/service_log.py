"""What the services write to the terminal."""

from __future__ import annotations

import logging
import os

from db.errors import InvalidInputError

LEVEL_VARIABLE = "FEWCLICK_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_log() -> None:
    """Log to standard error from the level that FEWCLICK_LOG_LEVEL names, INFO without it.

    Raises:
        InvalidInputError: there is no such level.
    """
    level = os.environ.get(LEVEL_VARIABLE) or "INFO"
    if level.upper() not in LEVELS:
        raise InvalidInputError(f"{LEVEL_VARIABLE}={level}: expected one of {', '.join(LEVELS)}")
    logging.basicConfig(level=level.upper(), format=FORMAT)
