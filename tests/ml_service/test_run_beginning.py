"""A run begins, whatever is wrong with what earlier ones left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.enums import RunState
from db.queries.runs import request_run
from ml_service.session_leftovers import SCALER_FOLDER
from tests.ml_service.toy_session import ToySession, work_off


def test_begin_next_run__what_cannot_be_cleared_away_is_told_and_keeps_no_run_from_its_work(
    segmentation: ToySession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    segmentation.tune(max_epochs=2)
    worker = segmentation.worker()
    segmentation.click_halves(1, 2, 3)
    segmentation.hold_out(2)
    work_off(worker)
    iterdir = Path.iterdir

    def fail_for_scalers(folder: Path) -> Iterator[Path]:
        if folder.name == SCALER_FOLDER:
            raise OSError(5, "Input/output error", str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", fail_for_scalers)
    with segmentation.db.write() as db_session:
        run_id = request_run(db_session).id
    work_off(worker)
    worker.close()
    assert segmentation.run(run_id).state is RunState.FINISHED
    assert "what earlier runs left stays for now: [Errno 5]" in caplog.text
