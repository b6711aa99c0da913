"""When the service looks for work, and when it leaves the processors to the page."""

from __future__ import annotations

import time
from enum import IntEnum

from ml_service.settings import ServiceSettings

BUSY_INTERVAL_S, BUSY_S = 0.001, 5.0
"""How often to look for a job, and for how long, after one was done: clicks come in series."""
MOST_QUIET = 1.2
"""Times the quiet after one answer. Answers that come as fast as it ends do not prolong it beyond: what is opened next
would never be predicted."""
SERIES_S, MOST_SERIES_S = 1.0, 10.0
"""People who click in a series do so about once a second: until then, in a series for no longer than the second of
these, only what they open next is predicted."""
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
        self._quiet_since = self._series_since = -float("inf")
        """When the first answer was given of those that came as fast as the quiet, or a series, ends."""

    def note_job(self) -> None:
        """A job was done just now."""
        self._job_at = time.monotonic()

    def note_answer(self) -> None:
        """What a person waits for was published just now."""
        now = time.monotonic()
        if now >= self._answer_at + MOST_QUIET * self._settings.quiet_s:
            self._quiet_since = now
        if now >= self._answer_at + SERIES_S:
            self._series_since = now
        self._answer_at = now

    @property
    def pause_s(self) -> float:
        """Until the next look for a job."""
        interval_s = self._settings.poll_interval_s
        return min(BUSY_INTERVAL_S, interval_s) if time.monotonic() < self._job_at + BUSY_S else interval_s

    @property
    def effort(self) -> Effort:
        """Of the background, now."""
        now = time.monotonic()
        passed_s = now - self._answer_at
        quiet_s = self._settings.quiet_s
        if passed_s < quiet_s and now < self._quiet_since + MOST_QUIET * quiet_s:
            return Effort.NOTHING
        is_in_series = quiet_s > 0 and passed_s < SERIES_S
        if is_in_series and now < self._series_since + MOST_SERIES_S:
            return Effort.NEXT_IMAGES
        return Effort.HALF if passed_s < ATTENDED_S else Effort.FULL
