"""Curvature that a helper computes beside the clicks: every fit does without, if it has to."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TypeVar

logger = logging.getLogger(__name__)

Curved = TypeVar("Curved")


def curvature_of(coming: Future[Curved]) -> Curved | None:
    """What the helper found; None where it failed, for which no click has to pay."""
    error = coming.exception()
    if error is not None:
        logger.warning("curvature cannot be computed, fits go on without: %r", error, exc_info=error)
        return None
    return coming.result()
