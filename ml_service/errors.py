"""What can go wrong in learning, told to a person through Run.message or Job.error."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import DBAPIError


class LearningError(Exception):
    """Base: the message says what was found, expected, and what to do."""


class NothingToLearnError(LearningError):
    """Too few labels, or none on images with features."""


class DivergedError(LearningError):
    """The loss is no longer a finite number."""


class CheckpointError(LearningError):
    """A checkpoint's files are missing, damaged, or not of this program."""


class FinetuneError(LearningError):
    """An extractor cannot be fine-tuned, or its fine-tuning failed."""


class ExtractorChangedError(Exception):
    """The session has another extractor now: what is in memory of it is void, and the session is to be opened anew."""


class StoppingError(Exception):
    """The service was told to stop: put the work back."""


def client_text(error: Exception, session_dir: Path) -> str:
    """What clients are told of an error: no path outside the session folder, no SQL; the log has the full text."""
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    for folder in (session_dir, session_dir.resolve()):
        text = text.replace(f"{folder}/", "").replace(str(folder), "the session folder")
    return text or type(error).__name__
