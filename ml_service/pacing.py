"""When the service looks for work, and when it leaves the processors to the page."""

from __future__ import annotations

import time
from enum import IntEnum

from ml_service.settings import ServiceSettings

BUSY_INTERVAL_S, BUSY_S = 0.001, 5.0
"""How often to look for a job, and for how long, after one was done: clicks come in series."""
SERIES_S = 1.0
"""People who click in a series do so about once a second: until then only what they open next is predicted."""
ATTENDED_S = 10.0
"""After a click, another one is likely: the background leaves some of the processors alone."""


class Effort(IntEnum):
    """What the background may do. Priorities of threads do not help there: the browser, the backend and the service
    are different login sessions for Linux, which shares the processors between sessions first (autogroups)."""

    NOTHING = 0
    """The page fetches and paints what a click was answered with."""
    NEXT_IMAGES = 1
    HALF = 2
    """Half of the processors."""
    FULL = 3


class Pacing:
    """What the jobs of the last seconds say about the next ones."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._job_at = self._answer_at = -float("inf")

    def note_job(self, *, is_urgent: bool) -> None:
        """A job was done just now.

        Args:
            is_urgent: A person waited for it.
        """
        self._job_at = time.monotonic()
        if is_urgent:
            self._answer_at = self._job_at

    @property
    def pause_s(self) -> float:
        """Until the next look for a job."""
        interval_s = self._settings.poll_interval_s
        return min(BUSY_INTERVAL_S, interval_s) if time.monotonic() < self._job_at + BUSY_S else interval_s

    @property
    def effort(self) -> Effort:
        """Of the background, now."""
        passed_s = time.monotonic() - self._answer_at
        if passed_s < self._settings.quiet_s:
            return Effort.NOTHING
        if passed_s < SERIES_S and self._settings.quiet_s > 0:
            return Effort.NEXT_IMAGES
        return Effort.HALF if passed_s < ATTENDED_S else Effort.FULL
