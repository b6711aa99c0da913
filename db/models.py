"""Tables of one session.

A session folder holds one database; every process (backend, ML service, initialization) speaks to the others through
these tables alone. Times are UTC. Coordinates are pixels of the upright original image, origin top-left; (0.5, 0.5) is
the centre of the first pixel.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from db.tasks import Task, TaskName

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[dt.datetime]):
    """Aware UTC in Python; SQLite keeps no offset, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: times in the database are UTC and aware")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def utc_now() -> dt.datetime:
    """The present moment, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraints have names, so that migrations can change them."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, dt.datetime: UtcDateTime}  # noqa: RUF012


def _enum(kind: type[StrEnum], name: str) -> Enum:
    """A text column restricted to the values of `kind` (a CHECK constraint, the same on SQLite and PostgreSQL)."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


class ImageStatus(StrEnum):
    """Where an image stands in the labelling."""

    UNLABELED = "unlabeled"
    LABELED = "labeled"
    SKIPPED = "skipped"


class FeatureState(StrEnum):
    """Whether the cached features of an image can be used."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Origin(StrEnum):
    """Who made an annotation. Set by the server, never by a client."""

    HUMAN = "human"
    EXTRACTED = "extracted"
    ACCEPTED = "accepted"
    IMPORTED = "imported"


class Split(StrEnum):
    """Which part of the labelled images an image belongs to, for good: drawn once, by image."""

    TRAIN = "train"
    VALIDATION = "validation"


class JobKind(StrEnum):
    """Work for the ML service."""

    REFIT = "refit"
    PREDICT = "predict"
    TRAIN = "train"
    COMPARE = "compare"
    """Measure two checkpoints on the same held-out images."""


class JobState(StrEnum):
    """A job's life: queued, claimed by one worker, ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunState(StrEnum):
    """A full training run's life; the transitions stand in db/queries/runs.py."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class RunKind(StrEnum):
    """What a full run trains."""

    HEAD = "head"
    """A head on the session's features."""
    FINETUNE = "finetune"
    """The extractor itself, by an adapter."""


class CheckpointKind(StrEnum):
    """How a head came to be: refitted live after an annotation, or trained by a full run."""

    LIVE = "live"
    RUN = "run"
    ADAPTER = "adapter"
    """No head: what a fine-tuning run changed in the extractor's weights. It is adopted, never activated."""


class WorkerRole(StrEnum):
    """What a worker does."""

    LEARNING = "learning"
    """The ML service: heads and predictions."""
    EXTRACTION = "extraction"
    """Features: an initialization, or the extraction service."""


class SessionInfo(Base):
    """The one row that says what this session is."""

    __tablename__ = "session_info"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    name: Mapped[str] = mapped_column(String(200))
    task: Mapped[Task] = mapped_column(TaskName())
    image_root: Mapped[str] = mapped_column(Text)
    """Folder that `Image.path` is relative to; relative to the session folder where that is possible."""
    config: Mapped[dict[str, Any]]
    """The YAML file as read, defaults filled in; see initialization/config.py."""
    training: Mapped[dict[str, Any]]
    """Training parameters and next-image strategy, changed by PATCH /api/config; see db/queries/session_info.py."""
    extractor: Mapped[dict[str, Any]]
    """name, weights_hash, patch_size, dim, resize, options: identity of the features; see models/base.py."""
    label_sequence: Mapped[int] = mapped_column(default=0)
    """Grows by one with every annotation change of the session; `Image.label_sequence` holds the value of its last."""
    head_version: Mapped[int] = mapped_column(default=0)
    """Version of the newest head; a prediction with a smaller one is stale."""
    head_label_sequence: Mapped[int] = mapped_column(default=0)
    """`label_sequence` that the head in force has taken note of: where the two differ, a refit is due."""
    scaler: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """hash, n_images, extractor: the scaler of the live head, in the file that its hash names."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class LabelClass(Base):
    """A class that a person can assign. A removed one keeps its row, so that the removal can be undone."""

    __tablename__ = "classes"
    __table_args__ = (
        Index("uq_classes_name_present", "name", unique=True, sqlite_where=text("removed_at IS NULL"),
              postgresql_where=text("removed_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    color: Mapped[str] = mapped_column(String(7))
    """#RRGGBB."""
    position: Mapped[int] = mapped_column(default=0)
    exclusive_group: Mapped[str | None] = mapped_column(String(200), default=None)
    """Where an image may have several classes: of those with the same group it has one at most."""
    unasked: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[first, last] of each span of `Image.answered_at` in which nobody was asked for it: before it was added, and
    while it was removed (then last is None)."""
    removed_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class Image(Base):
    """A registered image. What is denormalised here lets every "next" be one indexed read."""

    __tablename__ = "images"
    __table_args__ = (
        Index("ix_images_status_id", "status", "id"),
        Index("ix_images_status_uncertainty", "status", "uncertainty"),
        Index("ix_images_status_predicted", "status", "predicted_class_id", "uncertainty"),
        Index("ix_images_status_random_key", "status", "random_key"),
        Index("ix_images_features_priority", "features", "feature_priority", "id"),
        Index("ix_images_features_random_key", "features", "random_key", "id"),
        Index("ix_images_features_predicted", "features", "predicted_version", "id"),
        Index("ix_images_pooled_ready", "pooled_ready", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text, unique=True)
    """Relative to `SessionInfo.image_root`, with forward slashes."""
    content_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    """SHA-256 of the file; None when it could not be read."""
    width: Mapped[int | None] = mapped_column(default=None)
    height: Mapped[int | None] = mapped_column(default=None)
    """Upright size (EXIF applied), pixels."""
    status: Mapped[ImageStatus] = mapped_column(_enum(ImageStatus, "image_status"), default=ImageStatus.UNLABELED)
    features: Mapped[FeatureState] = mapped_column(
        _enum(FeatureState, "feature_state"), default=FeatureState.PENDING, index=True
    )
    failure: Mapped[str | None] = mapped_column(Text, default=None)
    """Why `features` is failed, in one line for a person."""
    pooled_ready: Mapped[bool] = mapped_column(default=False, server_default="0")
    """Whether the pooled vector is stored: the cheap tier, which comes before the patch features of most images."""
    feature_priority: Mapped[int] = mapped_column(default=0, server_default="0")
    """Larger is sooner while `features` is pending; the values stand in db/queries/feature_requests.py."""
    claimed_by: Mapped[str | None] = mapped_column(String(64), default=None)
    """Worker that extracts the features at the moment; void once that worker shows no sign of life."""
    file_size: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Bytes, and"""
    file_mtime_ns: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """time of the last change when `content_hash` was taken: where both are the same, the file was not read again."""
    revision: Mapped[int] = mapped_column(default=0)
    """Number of annotation changes, undo and redo included; only grows."""
    history_position: Mapped[int] = mapped_column(default=0)
    """`AnnotationState.position` that is in force; 0 is the empty state before the first change."""
    label_sequence: Mapped[int] = mapped_column(default=0, index=True)
    answered_at: Mapped[int] = mapped_column(default=0, server_default="0")
    """`SessionInfo.label_sequence` with which the answer in force was given, where an image may have several classes:
    an undo brings that of the earlier answer back."""
    split: Mapped[Split | None] = mapped_column(_enum(Split, "split"), default=None)
    picked_by_model: Mapped[bool] = mapped_column(default=False)
    """A strategy chose it for what the model said of it; it never becomes a validation image (decision 7)."""
    random_key: Mapped[float] = mapped_column(Float)
    """Uniform in [0, 1), drawn once: the random order of the session."""
    uncertainty: Mapped[float | None] = mapped_column(Float, default=None)
    """1 - confidence of the newest prediction, 0..1; None until there is one."""
    predicted_class_id: Mapped[int | None] = mapped_column(default=None)
    predicted_version: Mapped[int] = mapped_column(default=0, index=True)
    """Head version of the newest prediction; 0 without one."""
    # The attribute cannot be called `metadata`: SQLAlchemy keeps that name for itself.
    extra: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Point(Base):
    """A labelled point of a segmentation session."""

    __tablename__ = "points"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    x: Mapped[float] = mapped_column(Float)
    y: Mapped[float] = mapped_column(Float)
    origin: Mapped[Origin] = mapped_column(_enum(Origin, "point_origin"), default=Origin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Label(Base):
    """The class of a whole image in a classification session: at most one."""

    __tablename__ = "labels"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    origin: Mapped[Origin] = mapped_column(_enum(Origin, "label_origin"), default=Origin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class ImageClass(Base):
    """One of the classes of a whole image in a multi-label session.

    An image with a row is answered for every class: those without a row do not hold. `class_id` None stands alone and
    says that none holds. Rows of a removed class stay, hidden; the image is answered all the same.
    """

    __tablename__ = "image_classes"
    __table_args__ = (UniqueConstraint("image_id", "class_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    origin: Mapped[Origin] = mapped_column(_enum(Origin, "image_class_origin"), default=Origin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class AnnotationState(Base):
    """One complete annotation of one image as it once was: what undo and redo step through, across reloads."""

    __tablename__ = "annotation_states"
    __table_args__ = (UniqueConstraint("image_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    position: Mapped[int]
    state: Mapped[dict[str, Any]]
    """{"points": [{"x", "y", "class_id", "origin"}], "label": {"class_id", "origin"} | None, "skipped": bool}, and
    "classes": [{"class_id", "origin"}] where an image may have several."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Checkpoint(Base):
    """A saved head: safetensors plus JSON under session/checkpoints/."""

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[CheckpointKind] = mapped_column(_enum(CheckpointKind, "checkpoint_kind"))
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
    """Was the prediction that a person saw right? One row for the first human label of an image (classification)."""

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


class Job(Base):
    """Work for the ML service. Equal requests coalesce while queued; a request during a run queues the next one."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_key_queued", "key", unique=True, sqlite_where=text("state = 'queued'"),
              postgresql_where=text("state = 'queued'")),
        Index("ix_jobs_state_priority", "state", "priority", "id"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[JobKind] = mapped_column(_enum(JobKind, "job_kind"))
    key: Mapped[str] = mapped_column(String(120))
    """Equal keys are one request: "refit", "train", "predict:12"."""
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), default=None)
    priority: Mapped[int] = mapped_column(default=0)
    """Smaller is sooner."""
    state: Mapped[JobState] = mapped_column(_enum(JobState, "job_state"), default=JobState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    worker_id: Mapped[str | None] = mapped_column(String(64), default=None)
    heartbeat_at: Mapped[dt.datetime | None] = mapped_column(default=None)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    payload: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What is asked for, where the kind and the image do not say it."""
    result: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What came of it, where no other table keeps that."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class Run(Base):
    """A full training run: what Save starts and Stop Training ends."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RunKind] = mapped_column(_enum(RunKind, "run_kind"), default=RunKind.HEAD, server_default="head")
    state: Mapped[RunState] = mapped_column(_enum(RunState, "run_state"), default=RunState.QUEUED)
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


class Worker(Base):
    """A living process that works for the session."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[WorkerRole] = mapped_column(
        _enum(WorkerRole, "worker_role"), default=WorkerRole.LEARNING, server_default="learning"
    )
    pid: Mapped[int]
    host: Mapped[str] = mapped_column(String(255))
    progress: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """Of an extraction worker: see `WorkerProgress` in db/queries/extraction_workers.py."""
    started_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    heartbeat_at: Mapped[dt.datetime] = mapped_column(default=utc_now, index=True)


class Event(Base):
    """Outbox of server-sent events: written with the change it reports, read by every backend, pruned after a while."""

    __tablename__ = "events"
    # Listeners ask for what is younger than the id they know: an id must not come back when all rows are pruned.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    """annotation, prediction, training, features or job."""
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now, index=True)
