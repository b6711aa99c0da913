"""Many images that are changed together."""

from __future__ import annotations

import pytest

from db.database import Database
from db.tasks import Task
from tests.db.queries.whole_images import check_changes_together_equal_those_one_by_one


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.MULTILABEL], ids=lambda task: task.name)
def test_batch__equals_changes_one_by_one(db: Database, task: Task) -> None:
    check_changes_together_equal_those_one_by_one(db, task)
