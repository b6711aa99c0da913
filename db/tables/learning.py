"""What is learned and how well: runs, checkpoints, predictions, measurements."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.clock import utc_now
from db.column_types import enum_column
from db.enums import CheckpointKind, RunKind, RunState
from db.tables.base import Base


class Checkpoint(Base):
    """A saved head: safetensors plus JSON under session/checkpoints/."""

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[CheckpointKind] = mapped_column(enum_column(CheckpointKind, "checkpoint_kind"))
    path: Mapped[str] = mapped_column(Text, unique=True)
    """Of the safetensors file, relative to the session folder; the JSON has the same stem."""
    active: Mapped[bool] = mapped_column(default=False)
    head_version: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoints.id", ondelete="SET NULL"), default=None)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), default=None)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    name: Mapped[str | None] = mapped_column(String(80), default=None)
    """Given by a person; a checkpoint with a name is never pruned."""
    pinned: Mapped[bool] = mapped_column(default=False, server_default="0")
    """Never pruned."""
    dataset_hash: Mapped[str | None] = mapped_column(String(64), default=None, index=True)
    """Names the data snapshot; None for checkpoints of earlier versions."""
    label_sequence: Mapped[int | None] = mapped_column(default=None)
    """`SessionInfo.label_sequence` that it has learned from."""
    n_labels: Mapped[int | None] = mapped_column(default=None)
    activated_at: Mapped[dt.datetime | None] = mapped_column(default=None)
    """When it last began to predict; a live head did when it was saved."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Prediction(Base):
    """The newest prediction of an image. The map of a segmentation lies in a file that the row names."""

    __tablename__ = "predictions"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int]
    """Head version that made it."""
    checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoints.id", ondelete="SET NULL"), default=None)
    annotation_revision: Mapped[int]
    """The newest revision of this image that the head had learned from."""
    class_ids: Mapped[list[Any]]
    """Classes of the head, in the order of `probabilities` and of the map's first axis."""
    probabilities: Mapped[list[Any] | None] = mapped_column(default=None)
    map_path: Mapped[str | None] = mapped_column(Text, default=None)
    """Float16 .npy of logits (K, Hp, Wp), relative to the session folder; see models/prediction_store.py."""
    map_width: Mapped[int | None] = mapped_column(default=None)
    map_height: Mapped[int | None] = mapped_column(default=None)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class PredictionOutcome(Base):
    """Was the prediction right? One row for the first label of an image, if a person gave it (classification)."""

    __tablename__ = "prediction_outcomes"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    predicted_class_id: Mapped[int]
    class_id: Mapped[int]
    confidence: Mapped[float] = mapped_column(Float)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now, index=True)


class Agreement(Base):
    """Did a point or one class of an image agree with the prediction in sight? The newest few thousand are kept.

    For the class of a whole image see `PredictionOutcome`.
    """

    __tablename__ = "agreements"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    class_id: Mapped[int]
    """What the person said something about."""
    predicted_class_id: Mapped[int | None] = mapped_column(default=None)
    """Of a point; None where the statement is that the class holds or does not."""
    agreed: Mapped[bool]
    confidence: Mapped[float] = mapped_column(Float)
    """Of the prediction, in what it said."""
    unprompted: Mapped[bool] = mapped_column(default=False)
    """The first statement on an image that the model had not picked: the least biased there is."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Measurement(Base):
    """Quality of the live head at one time: a point of the learning curve. Thinned out to a few hundred."""

    __tablename__ = "measurements"

    id: Mapped[int] = mapped_column(primary_key=True)
    label_sequence: Mapped[int]
    """`SessionInfo.label_sequence` that was measured."""
    content_hash: Mapped[str] = mapped_column(String(64))
    """Equal where labels, features and the way to learn are: measuring again would say the same."""
    n_labels: Mapped[int]
    n_images: Mapped[int]
    """That were labelled in all."""
    method: Mapped[str | None] = mapped_column(String(24), default=None)
    """held_out, or cross_validation; None where too few are labelled for either."""
    value: Mapped[float | None] = mapped_column(Float, default=None)
    """Accuracy, 0..1, and"""
    low: Mapped[float | None] = mapped_column(Float, default=None)
    """the bounds of its"""
    high: Mapped[float | None] = mapped_column(Float, default=None)
    """95 % interval."""
    details: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """Everything measured; kept of the newest measurement alone."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Run(Base):
    """A full training run: what Save starts and Stop Training ends."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RunKind] = mapped_column(enum_column(RunKind, "run_kind"), default=RunKind.HEAD, server_default="head")
    state: Mapped[RunState] = mapped_column(enum_column(RunState, "run_state"), default=RunState.QUEUED)
    reason: Mapped[str | None] = mapped_column(String(40), default=None)
    """Why it FINISHED: early_stop, max_epochs, stopped, superseded."""
    message: Mapped[str] = mapped_column(Text, default="")
    epoch: Mapped[int] = mapped_column(default=0)
    best_epoch: Mapped[int | None] = mapped_column(default=None)
    stop_requested: Mapped[bool] = mapped_column(default=False)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    started_at: Mapped[dt.datetime | None] = mapped_column(default=None)
    finished_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class RunEpoch(Base):
    """Losses of one epoch of a run; val_loss is None where too few images are labelled for a validation split."""

    __tablename__ = "run_epochs"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float] = mapped_column(Float)
    val_loss: Mapped[float | None] = mapped_column(Float, default=None)
