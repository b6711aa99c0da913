"""When the service looks for work, and when it leaves the processors to the page."""

from __future__ import annotations

import time

from ml_service.settings import ServiceSettings

BUSY_INTERVAL_S, BUSY_S = 0.001, 5.0
"""How often to look for a job, and for how long, after one was done: clicks come in series."""
ATTENDED_S = 10.0
"""After a click, another one is likely: the background leaves some of the processors alone."""


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
    def is_quiet(self) -> bool:
        """The page fetches and paints what a click was answered with: no work of the background now."""
        return time.monotonic() < self._answer_at + self._settings.quiet_s

    @property
    def is_attended(self) -> bool:
        """Somebody is clicking."""
        return time.monotonic() < self._answer_at + ATTENDED_S
