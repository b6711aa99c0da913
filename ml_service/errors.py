"""What can go wrong in learning, told to a person through Run.message or Job.error."""

from __future__ import annotations


class LearningError(Exception):
    """Base: the message says what was found, expected, and what to do."""


class NothingToLearnError(LearningError):
    """Too few labels, or none on images with features."""


class DivergedError(LearningError):
    """The loss is no longer a finite number."""


class CheckpointError(LearningError):
    """A checkpoint's files are missing, damaged, or not of this program."""


class StoppingError(Exception):
    """The service was told to stop: put the work back."""
