"""Saved heads: what they are, where they come from, how two of them differ."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from backend.schemas.base import Id, RequestModel, ResponseModel
from db.enums import CheckpointKind, Split
from db.queries.checkpoints import MAX_NAME_LENGTH

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]


class CheckpointOut(ResponseModel):
    """A saved head."""

    id: int
    kind: CheckpointKind
    name: str | None = Field(description="given by a person; a checkpoint with a name is never pruned")
    pinned: bool = Field(description="never pruned")
    active: bool = Field(description="it was activated, and predicts until the next annotation change")
    in_force: bool = Field(description="it predicts now: it is active, or the live head's newest state is just this")
    head_version: int
    parent_id: int | None = Field(description="the checkpoint before it, of those that are left")
    run_id: int | None
    metrics: dict[str, Any] = Field(description="held-out quality as measured when it was saved")
    n_labels: int | None = Field(
        description="points, or labelled images: one with several classes is one answer; null for checkpoints of "
        "earlier versions"
    )
    dataset_hash: str | None = Field(description="identity of those labels")
    label_sequence: int | None
    size_bytes: int | None = Field(description="of the weights file; null if it is gone")
    created_at: dt.datetime
    activated_at: dt.datetime | None
    can_roll_back: bool = Field(
        description="whether POST /api/checkpoints/rollback has a head to go back to now; the same for all of them"
    )


class ClassCounts(ResponseModel):
    """Labels of one class in a data snapshot."""

    class_id: int
    name: str
    color: str
    by_origin: dict[str, int]
    total: int
    held_out: int = Field(description="of the total, on validation images: the head of a run has not learned from them")


class DataSummary(ResponseModel):
    """What a checkpoint was trained on, in numbers."""

    n_images: int
    n_training_images: int
    n_validation_images: int
    n_labels: int = Field(description="points, or labelled images: one with several classes is one answer")
    by_class: list[ClassCounts]
    size_bytes: int = Field(description="of the snapshot, which checkpoints of equal labels share")


class CheckpointDetails(CheckpointOut):
    """A saved head and its complete provenance."""

    description: dict[str, Any] = Field(
        description="what the JSON beside the weights says: head, classes, extractor, configuration, metrics, code and "
        "library versions, seed, hash of the data, revisions learned from; empty if the file is gone"
    )
    problem: str | None = Field(description="why it cannot be activated; null if it can")
    data: DataSummary | None = Field(description="null where the data snapshot was not kept")
    data_problem: str | None


class SnapshotImageOut(ResponseModel):
    """An image of a data snapshot."""

    id: int
    path: str | None = Field(description="null if the image is no longer in the session")
    revision: int | None = Field(description="of its annotation, as it was learned from")
    split: Split | None
    by_class: dict[int, int] = Field(description="labels by class id")


class SnapshotPage(ResponseModel):
    """Some of the images of a data snapshot."""

    items: list[SnapshotImageOut]
    total: int


class ConfigDifference(ResponseModel):
    """One key in which the two differ."""

    key: str = Field(examples=["training.extracted_weight"])
    a: Any
    b: Any


class ClassDifference(ResponseModel):
    """One class in two data snapshots. b = a + added - removed + changed_to - changed_from."""

    class_id: int
    name: str
    color: str
    a: int
    b: int
    added: int
    removed: int
    changed_to: int = Field(description="labels of another class in a, at the same place")
    changed_from: int = Field(description="labels of another class in b, at the same place")


class DataDifference(ResponseModel):
    """How the labels of b differ from those of a."""

    identical: bool
    same_held_out: bool = Field(description="whether both were measured on the same labels when they were saved")
    images_added: int
    images_removed: int
    images_changed: int
    classes: list[ClassDifference]


class MetricPair(ResponseModel):
    """One figure of both."""

    key: str
    a: float | None
    b: float | None
    better: str | None = Field(description="a, b, or null where they are equal or it is no matter of better")


class MeasurementState(StrEnum):
    """Of the comparison on the same images."""

    NONE = "none"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Measurement(ResponseModel):
    """Both, measured on the held-out labels of one moment."""

    state: MeasurementState
    stale: bool = Field(description="labels changed since")
    error: str | None
    result: dict[str, Any] | None = Field(
        description="held_out: what was measured on; a, b: quality, and how (itself, or refitted without the validation"
        " labels that a live head learns from); difference: accuracy of b - a and its standard error; agreement on "
        "images drawn at random"
    )


class CheckpointComparison(ResponseModel):
    """Two checkpoints side by side."""

    a: CheckpointOut
    b: CheckpointOut
    config: list[ConfigDifference]
    config_equal: int = Field(description="keys that do not differ")
    data: DataDifference | None
    data_problem: str | None = Field(description="why there is no data difference")
    metrics: list[MetricPair] = Field(description="as measured when each was saved")
    measurement: Measurement = Field(description="on the same images, now; ask for it by POST")


class CheckpointPatch(RequestModel):
    """What to change; what is left out stays."""

    name: Name | None = Field(default=None, description="null takes the name away")
    pinned: bool | None = None


class PruneRequest(RequestModel):
    """How many checkpoints to keep besides those that never go."""

    keep: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 20
    dry_run: bool = Field(default=False, description="only say what would go")
    only: list[Id] | None = Field(
        default=None, max_length=100_000, description="remove none but these: what a person has confirmed"
    )


class KeptCheckpoint(ResponseModel):
    """One that stays whatever `keep` says."""

    id: int
    reason: str


class PruneResult(ResponseModel):
    """What went, or would go."""

    removed: list[CheckpointOut]
    kept: list[KeptCheckpoint]
    lost_ids: list[int] = Field(description="rows whose file is gone, removed too")
    leftover_files: int = Field(
        description="files that nothing refers to any more: left by a process that was killed, or by runs that have "
        "ended, and scalers that are not in force"
    )
    epochs: int = Field(description="losses of old runs without a checkpoint; the runs stay, with their figures")
    freed_bytes: int
    dry_run: bool


class HeadChoice(ResponseModel):
    """Who predicts now."""

    checkpoint: CheckpointOut | None = Field(description="null: the live head")
