"""What people say about images, and what they said before."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.clock import utc_now
from db.column_types import enum_column
from db.enums import Origin, RegionKind, RegionOrigin
from db.tables.base import Base


class Point(Base):
    """A labelled point of a segmentation session."""

    __tablename__ = "points"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    x: Mapped[float] = mapped_column(Float)
    y: Mapped[float] = mapped_column(Float)
    origin: Mapped[Origin] = mapped_column(enum_column(Origin, "point_origin"), default=Origin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Label(Base):
    """The class of a whole image in a classification session: at most one."""

    __tablename__ = "labels"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    origin: Mapped[Origin] = mapped_column(enum_column(Origin, "label_origin"), default=Origin.HUMAN)
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
    origin: Mapped[Origin] = mapped_column(enum_column(Origin, "image_class_origin"), default=Origin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class RegionShape(Base):
    """Where a region lies. Never changed: states of the past name it, and a region that is moved gets another one."""

    __tablename__ = "region_shapes"
    __table_args__ = (UniqueConstraint("image_id", "digest"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of kind and geometry: equal shapes of an image are kept once."""
    kind: Mapped[RegionKind] = mapped_column(enum_column(RegionKind, "region_kind"))
    geometry: Mapped[dict[str, Any]]
    """As models/region_shapes.py writes it."""


class Region(Base):
    """A part of an image with its class, in a segmentation session. Painted in the order of `position`: last on top."""

    __tablename__ = "regions"
    # Earlier states name a region that is no more: its id must not come back for another one.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    shape_id: Mapped[int] = mapped_column(ForeignKey("region_shapes.id", ondelete="CASCADE"), index=True)
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"), index=True)
    """None removes what lies below."""
    origin: Mapped[RegionOrigin] = mapped_column(enum_column(RegionOrigin, "region_origin"), default=RegionOrigin.HUMAN)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


ANNOTATION_TABLES: tuple[type[Point | Label | ImageClass | Region], ...] = (Point, Label, ImageClass, Region)
"""All that say a class of an image."""


class AnnotationState(Base):
    """One complete annotation of one image as it once was: what undo and redo step through, across reloads."""

    __tablename__ = "annotation_states"
    __table_args__ = (UniqueConstraint("image_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    position: Mapped[int]
    state: Mapped[dict[str, Any]]
    """{"points": [{"x", "y", "class_id", "origin"}], "label": {"class_id", "origin"} | None, "skipped": bool}, and
    "classes": [{"class_id", "origin"}] where an image may have several, "regions": [{"id", "shape_id", "kind",
    "class_id", "origin"}] in their order where it has any. Classes are those chosen then: see
    db/queries/class_histories.py."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class MergedAnnotation(Base):
    """What of one image was said with a class before that was merged into another one."""

    __tablename__ = "merged_annotations"
    __table_args__ = (Index("ix_merged_annotations_merge_id_image_id", "merge_id", "image_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    merge_id: Mapped[int] = mapped_column(ForeignKey("class_merges.id", ondelete="CASCADE"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    state_id: Mapped[int | None]
    """None: of the rows that were in force. Else of the `AnnotationState`, which merges once rewrote, and which may be
    forgotten by now."""
    content: Mapped[dict[str, Any]]
    """As db/queries/merged_content.py writes it; of a state {"at": [...]}, too: which of the classes in its text were
    this one."""
