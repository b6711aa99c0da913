"""Counts over the whole session, which `GET /api/stats` is asked for after every click.

In a small session they are counted each time. In a large one a count takes long enough to be in the way of a click, so
what was counted a moment ago is told again.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from backend.services.pace import CHANGES_READ, Activity, measure
from db.enums import FeatureState, ImageStatus
from db.queries import stats
from db.queries.pace import newest_changes

LARGE = 20_000
"""Images, or annotations, from which counts are told again for a while."""
IMAGES_FOR_S, LABELS_FOR_S = 1.0, 3.0
"""How long."""
HOURS = 48


@dataclass(frozen=True)
class ImageCounts:
    """Images by status and by state of their features."""

    by_status: dict[ImageStatus, int]
    by_features: dict[FeatureState, int]
    unusable: int


@dataclass(frozen=True)
class LabelCounts:
    """Annotations by class and by hour."""

    by_class: list[tuple[int, int, int]]
    """(class id, images, points)"""
    below: dict[int, tuple[int, int]]
    """(images, points) by class, with the classes below it, of those that have any below."""
    regions: dict[int, int]
    """Regions by class, of those that have any."""
    per_hour: list[tuple[dt.datetime, int]]
    activity: Activity


@dataclass
class SessionCounts:
    """Counts, with what was counted last; safe to use from many threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _images: tuple[float, ImageCounts] | None = None
    _labels: tuple[float, int, LabelCounts] | None = None

    def images(self, db_session: Session) -> ImageCounts:
        """Fresh in a small session, a second old at most in a large one."""
        with self._lock:
            known = self._images
        if known is not None and sum(known[1].by_status.values()) > LARGE and _age_s(known[0]) < IMAGES_FOR_S:
            return known[1]
        at = time.monotonic()
        counts = ImageCounts(
            stats.count_by_status(db_session), stats.count_by_features(db_session), stats.count_unusable(db_session)
        )
        with self._lock:
            self._images = (at, counts)
        return counts

    def labels(self, db_session: Session, label_sequence: int) -> LabelCounts:
        """Those of `label_sequence`; in a large session those of a few seconds ago will do."""
        with self._lock:
            known = self._labels
        if known is not None:
            at, sequence, counts = known
            is_large = sum(max(images, points) for _, images, points in counts.by_class) > LARGE
            if is_large and (sequence == label_sequence or _age_s(at) < LABELS_FOR_S):
                return counts
        at = time.monotonic()
        counts = LabelCounts(
            stats.count_by_class(db_session),
            stats.count_below(db_session),
            stats.count_regions(db_session),
            stats.annotations_per_hour(db_session, HOURS),
            measure(newest_changes(db_session, CHANGES_READ)),
        )
        with self._lock:
            self._labels = (at, label_sequence, counts)
        return counts


def _age_s(at: float) -> float:
    return time.monotonic() - at
