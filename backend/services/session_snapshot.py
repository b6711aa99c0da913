"""The session's configuration as read at start."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from backend.schemas.classes import LabelClassOut
from backend.schemas.session import Config, ExtractorOut, SessionOut
from db.queries.class_tree import ClassTree, read_tree
from db.queries.classes import list_classes
from db.queries.session_info import TrainingSettings, get_session_info, heads_of, training_settings
from db.tables.session import LabelClass
from db.tasks import Task
from models.base import ExtractorInfo
from models.preprocessing import Preprocessing, preprocessing_of


@dataclass(frozen=True)
class SessionSnapshot:
    """What seldom changes, kept in memory so that no request asks the database for it."""

    name: str
    task: Task
    created_at: dt.datetime
    image_root: Path
    """Absolute."""
    session_dir: Path
    classes: tuple[LabelClassOut, ...]
    """Those that can be assigned, in their order."""
    extractor: ExtractorInfo
    preprocessing: Preprocessing
    """What every reader of an image file passes on."""
    training: TrainingSettings

    @property
    def class_ids(self) -> frozenset[int]:
        """Ids of `classes`."""
        return frozenset(label_class.id for label_class in self.classes)

    @property
    def class_groups(self) -> dict[int, str]:
        """Group by class id, of the classes that exclude others."""
        return {label_class.id: label_class.group for label_class in self.classes if label_class.group is not None}

    @cached_property
    def class_tree(self) -> ClassTree:
        """Which of `classes` stands below which."""
        return ClassTree({c.id: c.parent_id for c in self.classes}, self.class_ids)

    def to_schema(self) -> Config:
        """As GET /config tells it."""
        info = self.extractor
        return Config(
            task=self.task,
            classes=list(self.classes),
            extractor=ExtractorOut(name=info.name, dim=info.dim, patch_size=info.patch_size, resize=info.resize),
            training=self.training,
            heads=list(heads_of(self.task)),
            session=SessionOut(name=self.name, created_at=self.created_at),
        )


def read_snapshot(db_session: Session, session_dir: Path) -> SessionSnapshot:
    """The configuration as it stands.

    Raises:
        SessionNotFoundError: the database was never initialised.
    """
    info = get_session_info(db_session)
    extractor = ExtractorInfo.from_json(info.extractor)
    tree = read_tree(db_session)
    return SessionSnapshot(
        name=info.name,
        task=info.task,
        created_at=info.created_at,
        # An absolute image_root replaces session_dir here.
        image_root=(session_dir / info.image_root).resolve(),
        session_dir=session_dir,
        classes=tuple(class_schema(found, tree.parent(found.id)) for found in list_classes(db_session)),
        extractor=extractor,
        preprocessing=preprocessing_of(extractor.options),
        training=training_settings(info),
    )


def class_schema(label_class: LabelClass, parent_id: int | None) -> LabelClassOut:
    """A class as it goes over the wire."""
    return LabelClassOut(
        id=label_class.id,
        name=label_class.name,
        color=label_class.color,
        group=label_class.exclusive_group,
        parent_id=parent_id,
    )
