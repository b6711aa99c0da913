"""After a click the processors are the page's for a moment, and half of them for a while."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from db.tasks import Task
from ml_service import pacing
from ml_service.pacing import Effort, Pacing
from ml_service.settings import ServiceSettings
from tests.ml_service.toy_session import ToySession, make_session


def predicted(session: ToySession) -> set[int]:
    return {image_id for image_id, version in session.predicted_versions().items() if version > 0}


def test_effort__grows_with_the_time_since_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pacing(ServiceSettings(quiet_s=0.25))
    now = 1000.0
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now)
    assert pace.effort is Effort.FULL
    pace.note_job(is_urgent=False)
    assert pace.effort is Effort.FULL, "nobody waited for that"
    pace.note_job(is_urgent=True)
    found = []
    for passed in (0.0, 0.2, 0.3, 0.9, 1.1, 9.0, 11.0):
        now = 1000.0 + passed
        found.append(pace.effort)
    expected = [Effort.NOTHING] * 2 + [Effort.NEXT_IMAGES] * 2 + [Effort.HALF] * 2 + [Effort.FULL]
    assert found == expected


def test_effort__without_quiet_nothing_is_put_off() -> None:
    pace = Pacing(ServiceSettings(quiet_s=0))
    pace.note_job(is_urgent=True)
    assert pace.effort is Effort.HALF


def test_pause_s__short_while_clicks_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pacing(ServiceSettings(poll_interval_s=0.1))
    assert pace.pause_s == 0.1
    pace.note_job(is_urgent=False)
    assert pace.pause_s == pacing.BUSY_INTERVAL_S
    monkeypatch.setattr(pacing, "BUSY_S", 0.0)
    assert pace.pause_s == 0.1


def test_step__no_background_work_right_after_a_click(tmp_path: Path) -> None:
    """Nor is it forgotten: it goes on without another word."""
    session = make_session(tmp_path / "session", Task.SEGMENTATION, 6)
    worker = session.worker(quiet_s=60)
    session.click_halves(1)
    while worker.step():
        pass
    assert predicted(session) == {1}
    worker._pacing._answer_at = time.monotonic() - 61
    while worker.step():
        pass
    assert predicted(session) == set(range(1, 7))
    worker.close()
