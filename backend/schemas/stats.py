"""How far the labelling has come, and how good the head is on images it did not learn from."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from backend.schemas.base import ResponseModel
from backend.schemas.quality import Quality
from db.enums import CheckpointKind


class StatusCounts(ResponseModel):
    """Images by status."""

    unlabeled: int = Field(description="without those whose features failed, which nobody has to label")
    labeled: int
    skipped: int
    undetermined: int = Field(description="a person has looked and cannot tell")


class FeatureCounts(ResponseModel):
    """Images by state of their features."""

    pending: int
    ready: int
    failed: int


class ClassCount(ResponseModel):
    """Annotations of one class."""

    class_id: int
    images: int = Field(description="in a multilabel session with those of the classes below, which imply it")
    points: int = Field(description="0 in a classification session")
    regions: int = Field(default=0, description="strokes, polygons, boxes and masks of a segmentation session")
    images_with_below: int = Field(description="images of the class or of one below it")
    points_with_below: int


class HeldOut(ResponseModel):
    """Quality on labelled images that were kept out of training."""

    metric: Literal["accuracy"] = Field(
        description="share of the held-out samples (points, or labels of whole images) that are predicted right"
    )
    value: float = Field(description="0..1")
    low: float | None = Field(description="bounds of the 95 % interval, by image; null for heads of earlier versions")
    high: float | None
    images: int = Field(description="held-out images")
    samples: int = Field(description="held-out points, or labels of whole images")
    checkpoint_id: int | None


class HeadInForce(ResponseModel):
    """Which head predicts."""

    kind: CheckpointKind = Field(description="live: fitted anew after every annotation change; run: of a full run")
    run_id: int | None = Field(description="of a run's head")
    checkpoint_id: int | None = Field(description="of the active checkpoint; null for the live head as it is now")


class LiveAccuracyPoint(ResponseModel):
    """How often the prediction was right when a person labelled an image for the first time."""

    at: dt.datetime
    labeled: int = Field(description="images labelled for the first time so far, with a prediction in sight")
    count: int = Field(description="those in the average, 50 at most")
    accuracy: float = Field(description="over the last 50 of them, 0..1")


class HourCount(ResponseModel):
    """Work of one hour."""

    hour: dt.datetime = Field(description="start of the hour, UTC")
    annotations: int = Field(description="points or labels that people made and that stand today")


class Pace(ResponseModel):
    """How fast people label while they do; gaps of more than 3 minutes count for nothing."""

    images_per_hour: float | None = Field(description="answered for the first time; null below 30 s or 5 images")
    labels_per_hour: float | None = Field(description="changes of annotations, clicks for short; null likewise")
    active_s: float = Field(description="time that it rests on: of the newest 500 changes, without pauses and imports")
    images: int = Field(description="images that it rests on")
    since: dt.datetime | None = Field(description="begin of the oldest of these active periods")
    remaining: int = Field(description="images without an answer that can be labelled")
    finish_s: int | None = Field(description="time to answer the remaining ones at this pace, without pauses")


class Stats(ResponseModel):
    """Counts and honest numbers."""

    images: int
    by_status: StatusCounts
    by_features: FeatureCounts
    by_class: list[ClassCount]
    held_out: HeldOut | None = Field(
        description="null while nothing is labelled, fewer than 5 samples on 2 images are held out, or nothing was "
        "measured yet"
    )
    head: HeadInForce | None = Field(description="null while nothing is labelled")
    quality: Quality
    live_accuracy: list[LiveAccuracyPoint] = Field(
        description="classification; of the newest 1,000 first labels, at most 200 points"
    )
    labels_per_hour: list[HourCount] = Field(description="the last 48 hours with any work, oldest first")
    pace: Pace
