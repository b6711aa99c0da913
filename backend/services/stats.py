"""How far the labelling is, and how good the head."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.stats import (
    ClassCount,
    FeatureCounts,
    HeadInForce,
    HeldOut,
    HourCount,
    LiveAccuracyPoint,
    Stats,
    StatusCounts,
)
from db.models import CheckpointKind, FeatureState, ImageStatus
from db.queries import stats
from db.queries.checkpoints import active_checkpoint, newest_live_checkpoint

LIVE_WINDOW = 50
LIVE_POINTS = 500
HOURS = 48
MIN_HELD_OUT_SAMPLES = 5
"""A share of fewer says next to nothing."""


def read_stats(context: AppContext) -> Stats:
    """All of it, from one snapshot of the database."""
    with context.database.read() as db_session:
        by_status = stats.count_by_status(db_session)
        by_features = stats.count_by_features(db_session)
        counts = {status.value: by_status.get(status, 0) for status in ImageStatus}
        counts[ImageStatus.UNLABELED.value] -= stats.count_unusable(db_session)
        return Stats(
            images=sum(by_status.values()),
            by_status=StatusCounts(**counts),
            by_features=FeatureCounts(**{state.value: by_features.get(state, 0) for state in FeatureState}),
            by_class=[ClassCount(class_id=c, images=i, points=p) for c, i, p in stats.count_by_class(db_session)],
            held_out=_held_out(db_session),
            head=_head(db_session),
            live_accuracy=_live_accuracy(stats.list_outcomes(db_session)),
            labels_per_hour=[
                HourCount(hour=hour, annotations=count) for hour, count in stats.annotations_per_hour(db_session, HOURS)
            ],
        )


def _head(db_session: Session) -> HeadInForce | None:
    checkpoint = active_checkpoint(db_session)
    if checkpoint is not None:
        return HeadInForce(kind=checkpoint.kind, run_id=checkpoint.run_id, checkpoint_id=checkpoint.id)
    if stats.count_annotations(db_session) == 0:
        return None
    return HeadInForce(kind=CheckpointKind.LIVE, run_id=None, checkpoint_id=None)


def _held_out(db_session: Session) -> HeldOut | None:
    """What was measured when the head in force was saved; in both tasks on what people labelled, not on whole maps."""
    checkpoint = active_checkpoint(db_session) or newest_live_checkpoint(db_session)
    if checkpoint is None or stats.count_annotations(db_session) == 0:
        return None
    measured = checkpoint.metrics.get("held_out")
    if measured is None or measured["n_samples"] < MIN_HELD_OUT_SAMPLES:
        return None
    return HeldOut(
        metric="accuracy",
        value=measured["accuracy"],
        images=measured["n_images"],
        samples=measured["n_samples"],
        checkpoint_id=checkpoint.id,
    )


def _live_accuracy(outcomes: Sequence[tuple[dt.datetime, bool]]) -> list[LiveAccuracyPoint]:
    """Moving average over the outcomes, thinned out to what a chart can show; the newest always stays."""
    points = []
    right = 0
    for index, (at, was_right) in enumerate(outcomes):
        right += was_right
        if index >= LIVE_WINDOW:
            right -= outcomes[index - LIVE_WINDOW][1]
        accuracy = right / min(index + 1, LIVE_WINDOW)
        points.append(LiveAccuracyPoint(at=at, labeled=index + 1, accuracy=accuracy))
    step = -(-len(points) // LIVE_POINTS) or 1
    return points[::-step][::-1]
