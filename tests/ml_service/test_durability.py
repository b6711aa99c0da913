"""Files that the state before needs are removed only after a commit that waited for the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from db.queries.runs import request_run
from ml_service import live_checkpoint, run_execution, run_result
from ml_service.worker import Worker
from tests.ml_service.toy_session import ToySession, work_off

FULL = 2
"""`PRAGMA synchronous`"""


def _removals(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is removed from now on: the remover, and how far the commit before it waited for the disk."""
    levels: list[int] = []
    removals: list[tuple[str, int]] = []

    def note_commit(connection: Any) -> None:
        levels.append(int(connection.scalar(text("PRAGMA synchronous"))))

    event.listen(worker.keeper._context.db.engine, "commit", note_commit)

    def wrapped(original: Callable[..., None], remover: str) -> Callable[..., None]:
        def remove(*values: Any) -> None:
            removals.append((remover, levels[-1]))
            original(*values)

        return remove

    for module, name in (
        (live_checkpoint, "remove_unnamed_files"),
        (run_result, "remove_unnamed_files"),
        (run_execution, "remove_loops"),
    ):
        monkeypatch.setattr(module, name, wrapped(getattr(module, name), name))
    return removals


def test_remove__live_checkpoints_and_runs_wait_for_the_disk(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmentation.tune(max_epochs=20, prediction_interval=10, learning_rate=1.0, early_stop_patience=1000)
    worker = segmentation.worker(live_checkpoints_kept=1)
    removals = _removals(worker, monkeypatch)
    for image_id in (1, 2, 3):
        segmentation.click_halves(image_id)
        work_off(worker)
    segmentation.hold_out(2)
    with segmentation.db.write() as db_session:
        request_run(db_session)
    work_off(worker)
    worker.close()
    assert [remover for remover, _level in removals].count("remove_unnamed_files") >= 4
    assert [remover for remover, _level in removals].count("remove_loops") == 1
    assert {level for _remover, level in removals} == {FULL}
