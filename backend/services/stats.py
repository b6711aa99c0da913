"""How far the labelling is, and how good the head."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.quality import Figures
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
from backend.services.pace import describe_pace
from backend.services.quality import read_quality
from backend.services.session_counts import LabelCounts
from db.enums import CheckpointKind, FeatureState, ImageStatus
from db.queries import stats
from db.queries.checkpoints import active_checkpoint, newest_live_checkpoint
from db.queries.outcomes import count_outcomes, newest_outcomes
from db.queries.session_info import get_session_info
from db.tables.learning import Checkpoint
from db.tasks import Annotates

LIVE_WINDOW = 50
LIVE_READ = 1000
"""First labels looked at: what was longer ago tells nothing about the head of today."""
LIVE_POINTS = 200
MIN_HELD_OUT_SAMPLES, MIN_HELD_OUT_IMAGES = 5, 2
"""A share of fewer says next to nothing."""


def read_stats(context: AppContext) -> Stats:
    """All of it, from one snapshot of the database."""
    with context.database.read() as db_session:
        label_sequence = get_session_info(db_session).label_sequence
        images = context.counts.images(db_session)
        labels = context.counts.labels(db_session, label_sequence)
        by_status = {status.value: images.by_status.get(status, 0) for status in ImageStatus}
        by_status[ImageStatus.UNLABELED.value] -= images.unusable
        is_labelled = stats.any_annotation(db_session)
        active = active_checkpoint(db_session)
        quality = read_quality(db_session, active, label_sequence, is_labelled=is_labelled)
        return Stats(
            images=sum(images.by_status.values()),
            by_status=StatusCounts(**by_status),
            by_features=FeatureCounts(**{state.value: images.by_features.get(state, 0) for state in FeatureState}),
            by_class=_by_class(labels, implies=context.config.task.annotates is Annotates.CLASSES),
            held_out=_held_out(db_session, active, quality.held_out) if is_labelled else None,
            head=_head(active) if is_labelled else None,
            quality=quality,
            live_accuracy=_live_accuracy(newest_outcomes(db_session, LIVE_READ), count_outcomes(db_session)),
            labels_per_hour=[HourCount(hour=hour, annotations=count) for hour, count in labels.per_hour],
            pace=describe_pace(labels.activity, by_status[ImageStatus.UNLABELED.value]),
        )


def _by_class(labels: LabelCounts, *, implies: bool) -> list[ClassCount]:
    """Counts of each class.

    Args:
        implies: An image that has a class has those above it.
    """
    counts = []
    for class_id, images, points in labels.by_class:
        images_with_below, points_with_below = labels.below.get(class_id, (images, points))
        counts.append(
            ClassCount(
                class_id=class_id,
                images=images_with_below if implies else images,
                points=points,
                regions=labels.regions.get(class_id, 0),
                images_with_below=images_with_below,
                points_with_below=points_with_below,
            )
        )
    return counts


def _head(active: Checkpoint | None) -> HeadInForce:
    if active is None:
        return HeadInForce(kind=CheckpointKind.LIVE, run_id=None, checkpoint_id=None)
    return HeadInForce(kind=active.kind, run_id=active.run_id, checkpoint_id=active.id)


def _held_out(db_session: Session, active: Checkpoint | None, figures: Figures | None) -> HeldOut | None:
    """In both tasks on what people labelled, not on whole maps."""
    checkpoint = active or newest_live_checkpoint(db_session)
    checkpoint_id = None if checkpoint is None else checkpoint.id
    if figures is not None:
        accuracy = figures.accuracy
        if accuracy is None:
            return None
        return HeldOut(
            metric="accuracy",
            value=accuracy.value,
            low=accuracy.low,
            high=accuracy.high,
            images=figures.n_images,
            samples=figures.n_samples,
            checkpoint_id=checkpoint_id,
        )
    measured = None if checkpoint is None else checkpoint.metrics.get("held_out")
    if measured is None or measured["n_samples"] < MIN_HELD_OUT_SAMPLES or measured["n_images"] < MIN_HELD_OUT_IMAGES:
        return None
    return HeldOut(
        metric="accuracy",
        value=measured["accuracy"],
        low=measured.get("accuracy_low"),
        high=measured.get("accuracy_high"),
        images=measured["n_images"],
        samples=measured["n_samples"],
        checkpoint_id=checkpoint_id,
    )


def _live_accuracy(outcomes: Sequence[tuple[dt.datetime, bool]], total: int) -> list[LiveAccuracyPoint]:
    """Moving average over the newest outcomes, thinned out to what a chart can show; the newest always stays.

    Args:
        total: Outcomes there are in all.
    """
    points = []
    right = 0
    earlier = total - len(outcomes)
    for index, (at, was_right) in enumerate(outcomes):
        right += was_right
        if index >= LIVE_WINDOW:
            right -= outcomes[index - LIVE_WINDOW][1]
        count = min(index + 1, LIVE_WINDOW)
        points.append(LiveAccuracyPoint(at=at, labeled=earlier + index + 1, count=count, accuracy=right / count))
    step = -(-len(points) // LIVE_POINTS) or 1
    return points[::-step][::-1]
