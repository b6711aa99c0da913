"""When the service looks for work, and when it leaves the processors to the page."""

from __future__ import annotations

import time
from collections import deque
from enum import IntEnum
from statistics import median

from ml_service.settings import ServiceSettings

BUSY_INTERVAL_S, BUSY_S = 0.001, 5.0
"""How often to look for a job, and for how long, after one was done: clicks come in series."""
MOST_QUIET = 1.2
"""Times the quiet after one answer. Answers that come as fast as it ends do not prolong it beyond: what is opened next
would never be predicted."""
SERIES_S, MOST_SERIES_S = 1.0, 10.0
"""People who click in a series do so about once a second: until then, in a series for no longer than the second of
these, only what they open next is predicted."""
LONGEST_GAP_S = 3.0
"""People who look for longer between two clicks come back whenever they like."""
RHYTHM = 3
"""So many gaps in a row tell of a rhythm, if they are alike."""
DUE_FROM, DUE_UNTIL = 0.6, 1.6
"""Parts of the usual gap between which the next click is likely to come; the last ones did, where there is a rhythm."""
LEAST_ROOM_S = 0.1
"""Between the quiet and the time when a click is due; with less the background would have no turn."""
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
        self._gaps: deque[float] = deque(maxlen=RHYTHM)
        """Seconds between the last answers of a series."""

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
        if now >= self._answer_at + LONGEST_GAP_S:
            self._gaps.clear()
        else:
            self._gaps.append(now - self._answer_at)
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
        if self._has_rhythm:
            # The background works right after an answer, and is out of the way when the next click comes.
            is_due = DUE_FROM * self._usual_gap_s <= passed_s < DUE_UNTIL * self._usual_gap_s
            return Effort.NEXT_IMAGES if is_due else Effort.HALF
        is_in_series = quiet_s > 0 and passed_s < SERIES_S
        if is_in_series and now < self._series_since + MOST_SERIES_S:
            return Effort.NEXT_IMAGES
        return Effort.HALF if passed_s < ATTENDED_S else Effort.FULL

    @property
    def _usual_gap_s(self) -> float:
        return median(self._gaps)

    @property
    def _has_rhythm(self) -> bool:
        """Whether clicks come regularly, and leave the background some room in between."""
        quiet_s = self._settings.quiet_s
        if quiet_s <= 0 or len(self._gaps) < RHYTHM or time.monotonic() >= self._answer_at + LONGEST_GAP_S:
            return False
        usual_s = self._usual_gap_s
        has_room = DUE_FROM * usual_s > MOST_QUIET * quiet_s + LEAST_ROOM_S
        return has_room and all(DUE_FROM * usual_s <= gap < DUE_UNTIL * usual_s for gap in self._gaps)
