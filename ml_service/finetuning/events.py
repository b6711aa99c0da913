"""What the process that fine-tunes tells the ML service: one JSON object a line. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Look:
    """Features of some pictures were computed, to fit or to measure a head."""

    stage: str
    """frozen or tuned"""
    done: int
    total: int
    """Pictures, each as often as it is looked at."""


@dataclass(frozen=True)
class PicturesDone:
    """Some pictures of an epoch were learned from."""

    epoch: int
    done: int
    total: int


@dataclass(frozen=True)
class EpochDone:
    """All training pictures were seen once more."""

    epoch: int
    train_loss: float
    val_loss: float
    is_best: bool


@dataclass(frozen=True)
class Ended:
    """The last event of a run that ended by itself; what it has found lies in the state file."""

    reason: str
    """early_stop or max_epochs"""


@dataclass(frozen=True)
class Failed:
    """The last event of a run that cannot go on."""

    message: str
    """For a person."""


Event = Look | PicturesDone | EpochDone | Ended | Failed
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in (Look, PicturesDone, EpochDone, Ended, Failed)}


def to_line(event: Event) -> str:
    """One line, its end included."""
    return json.dumps({"event": type(event).__name__, **asdict(event)}) + "\n"


def from_line(line: str) -> Event:
    """Inverse of `to_line`.

    Raises:
        ValueError, KeyError, TypeError: it is no such line.
    """
    data = json.loads(line)
    return KINDS[data.pop("event")](**data)
