"""What the parts of one ML service share: the open session and its features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from db.database import Database
from db.queries.class_groups import class_groups
from db.queries.session_info import HeadKind, get_session_info
from db.tables.session import SessionInfo
from db.tasks import Annotates, Task
from ml_service.errors import ExtractorChangedError
from ml_service.feature_reader import FeatureReader
from ml_service.settings import ServiceSettings
from ml_service.task_factory import TaskParts, make_task_parts
from ml_service.training_set import TrainingSet
from models.base import ExtractorInfo
from models.feature_store import FeatureStore


@dataclass(frozen=True)
class Context:
    """An open session, as the ML service sees it."""

    db: Database
    session_dir: Path
    settings: ServiceSettings
    extractor: ExtractorInfo
    task: Task
    parts: TaskParts
    reader: FeatureReader
    training_set: TrainingSet

    def check_extractor(self, info: SessionInfo) -> None:
        """Whether the session still has the extractor that was opened.

        Raises:
            ExtractorChangedError: it has not.
        """
        if ExtractorInfo.from_json(info.extractor) != self.extractor:
            raise ExtractorChangedError


def open_context(session_dir: Path, settings: ServiceSettings) -> Context:
    """Open a session folder.

    Raises:
        SessionNotFoundError: it holds no session.
        FeatureMismatchError: its features were made by another extractor than its database says.
    """
    # Jobs claimed, heads, predictions: after a power failure all of it is computed again from the labels.
    db = Database.of_session(session_dir, waits_for_disk=False)
    with db.read() as db_session:
        info = get_session_info(db_session)
        groups = class_groups(db_session) if info.task.annotates is Annotates.CLASSES else {}
    extractor = ExtractorInfo.from_json(info.extractor)
    parts = make_task_parts(info.task, extractor)
    # Not every user of the context reads labels, whereupon the training set would do this.
    parts.group_by_class.update(groups)
    reader = FeatureReader(
        FeatureStore(session_dir, extractor),
        map_cache_bytes=settings.map_cache_bytes,
        pooled_cache_bytes=settings.pooled_cache_bytes,
    )
    training_set = TrainingSet(info.task, reader, parts.read_inputs[HeadKind.LINEAR], parts.group_by_class)
    return Context(db, session_dir, settings, extractor, info.task, parts, reader, training_set)
