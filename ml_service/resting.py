"""After an error that passes by itself, the service tries again later and later."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import OperationalError

logger = logging.getLogger(__name__)

SHORTEST_REST_S, LONGEST_REST_S = 0.25, 30.0
"""Before what failed is tried again: doubled each time."""


class Resting:
    """Whether to let be, for now, what failed."""

    def __init__(self) -> None:
        self._last_s = 0.0
        self._until = -float("inf")

    @property
    def is_on(self) -> bool:
        """Nothing is tried yet."""
        return time.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        """For longer each time; one line in the log."""
        self._last_s = min(max(SHORTEST_REST_S, 2 * self._last_s), LONGEST_REST_S)
        self._until = time.monotonic() + self._last_s
        text = str(error.orig) if isinstance(error, OperationalError) else str(error)
        logger.warning("nothing can be learned for now, trying again in %.3g s: %s", self._last_s, text)

    def succeeded(self) -> None:
        """Something was done: the next rest is a short one again."""
        self._last_s = 0.0
