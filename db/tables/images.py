"""The images of a session."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, Float, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.clock import utc_now
from db.column_types import enum_column
from db.enums import FeatureState, ImageStatus, Split
from db.tables.base import Base


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
        Index("ix_images_uncertainty", "uncertainty", "id"),
        Index("ix_images_predicted", "predicted_class_id", "uncertainty", "id"),
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
    status: Mapped[ImageStatus] = mapped_column(enum_column(ImageStatus, "image_status"), default=ImageStatus.UNLABELED)
    features: Mapped[FeatureState] = mapped_column(
        enum_column(FeatureState, "feature_state"), default=FeatureState.PENDING, index=True
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
    split: Mapped[Split | None] = mapped_column(enum_column(Split, "split"), default=None)
    picked_by_model: Mapped[bool] = mapped_column(default=False)
    """A strategy chose it for what the model said of it; it never becomes a validation image (decision 7)."""
    random_key: Mapped[float] = mapped_column(Float)
    """Uniform in [0, 1), drawn once: the random order of the session."""
    uncertainty: Mapped[float | None] = mapped_column(Float, default=None)
    """1 - confidence of the newest prediction, 0..1; None until there is one."""
    predicted_class_id: Mapped[int | None] = mapped_column(default=None)
    predicted_version: Mapped[int] = mapped_column(default=0, index=True)
    """Head version of the newest prediction; 0 without one."""
    region_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Number of rows in `regions`: where it is 0 nobody has to look there."""
    comment: Mapped[str | None] = mapped_column(Text, default=None)
    """What a person noted about it, not empty; no part of the annotation: no undo, nothing learns from it."""
    comment_revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """Number of changes of the comment; only grows."""
    # The attribute cannot be called `metadata`: SQLAlchemy keeps that name for itself.
    extra: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
