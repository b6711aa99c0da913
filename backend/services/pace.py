"""How fast the labelling goes while somebody labels: pauses count for nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.schemas.stats import Pace

CHANGES_READ = 500
"""Newest changes that are looked at: the pace of last month says little about today's."""
PAUSE_S = 180.0
"""A longer gap between two changes is a pause."""
LEAST_ACTIVE_S, LEAST_IMAGES = 30.0, 5
"""Of less no pace is told."""
HOUR_S = 3600.0


@dataclass(frozen=True)
class Activity:
    """The active periods together."""

    active_s: float
    images: int
    changes: int
    since: dt.datetime | None


def measure(changes: Sequence[tuple[dt.datetime, bool]]) -> Activity:
    """Time between changes without the pauses, and what was done in it.

    What opens a period counts for nothing: nobody knows how long it took.

    Args:
        changes: (when, whether it began an image that is answered by now), oldest first.
    """
    active_s, images, done = 0.0, 0, 0
    since = None
    for (before, _), (at, begins) in pairwise(changes):
        gap_s = (at - before).total_seconds()
        if gap_s > PAUSE_S:
            continue
        since = since or before
        active_s += gap_s
        images += begins
        done += 1
    return Activity(active_s, images, done, since)


def describe_pace(activity: Activity, remaining: int) -> Pace:
    """Pace and time to finish; null where there is too little to go by."""
    known = activity.active_s >= LEAST_ACTIVE_S and activity.images >= LEAST_IMAGES
    images_per_hour = activity.images / activity.active_s * HOUR_S if known else None
    return Pace(
        images_per_hour=None if images_per_hour is None else round(images_per_hour, 1),
        labels_per_hour=round(activity.changes / activity.active_s * HOUR_S, 1) if known else None,
        active_s=round(activity.active_s, 1),
        images=activity.images,
        since=activity.since,
        remaining=remaining,
        finish_s=None if images_per_hour is None else round(remaining / images_per_hour * HOUR_S),
    )
