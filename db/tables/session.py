"""What a session is, and its classes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.clock import utc_now
from db.column_types import TaskName
from db.tables.base import Base
from db.tasks import Task


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
    parent_id: Mapped[int | None] = mapped_column(default=None)
    """The class that it is a kind of; that one may be removed, see db/queries/class_tree.py."""
    merged_into_id: Mapped[int | None] = mapped_column(default=None)
    """The class that took over its annotations; it is then removed. `ClassMerge` says how it was before."""
    unasked: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """[first, last] of each span of `Image.answered_at` in which nobody was asked for it: before it was added, and
    while it was removed (then last is None)."""
    removed_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class ClassMerge(Base):
    """A class that was merged into another one, and how it all was before: gone as soon as that is undone."""

    __tablename__ = "class_merges"

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="CASCADE"), unique=True)
    into_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="CASCADE"))
    last_state_id: Mapped[int]
    """Largest id of `annotation_states` then: larger ones say what was done since."""
    usage: Mapped[dict[str, Any]]
    """Points, regions, labels and images of the class, as `db.queries.class_usage` counts them."""
    tree: Mapped[dict[str, Any]]
    """"children" that stood below it; "moved_from", the parent of the other class if the merge moved that; "before" and
    "after", the ids of all classes in their order."""
    figures: Mapped[dict[str, Any]]
    """Ids of the rows that count how right predictions are, by table and column."""
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
