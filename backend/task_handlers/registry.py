"""The one place where the backend learns which tasks there are."""

from __future__ import annotations

from backend.task_handlers.base import TaskHandler
from backend.task_handlers.classification import ClassificationHandler
from backend.task_handlers.multilabel import MultilabelHandler
from backend.task_handlers.segmentation import SegmentationHandler
from db.tasks import Task

HANDLERS: dict[Task, TaskHandler] = {
    Task.SEGMENTATION: SegmentationHandler(),
    Task.CLASSIFICATION: ClassificationHandler(),
    Task.MULTILABEL: MultilabelHandler(),
}


def get_handler(task: Task) -> TaskHandler:
    """The handler of a task."""
    return HANDLERS[task]
