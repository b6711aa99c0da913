"""After a click the processors are the page's for a moment, and half of them for a while."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.tables.processes import Job
from db.tasks import Task
from ml_service import pacing
from ml_service.pacing import Effort, Pacing
from ml_service.settings import ServiceSettings
from tests.ml_service.toy_session import ToySession, make_session


def predicted(session: ToySession) -> set[int]:
    return {image_id for image_id, version in session.predicted_versions().items() if version > 0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, in its only element."""
    now = [1000.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    return now


def test_effort__grows_with_the_time_since_an_answer(clock: list[float]) -> None:
    pace = Pacing(ServiceSettings(quiet_s=0.25))
    assert pace.effort is Effort.FULL
    pace.note_job()
    assert pace.effort is Effort.FULL, "nobody waited for that"
    pace.note_answer()
    found = []
    for passed in (0.0, 0.2, 0.3, 0.9, 1.1, 9.0, 11.0):
        clock[0] = 1000.0 + passed
        found.append(pace.effort)
    expected = [Effort.NOTHING] * 2 + [Effort.NEXT_IMAGES] * 2 + [Effort.HALF] * 2 + [Effort.FULL]
    assert found == expected


@given(st.lists(st.floats(0.01, 0.99), min_size=60, max_size=60))
def test_effort__no_series_of_answers_starves_the_background(gaps: list[float]) -> None:
    """However fast answers follow: the next images get their turn, and after a while all the others."""
    pace, now, longest, rest_at = Pacing(ServiceSettings(quiet_s=0.25)), 1000.0, 0.0, None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing.time, "monotonic", lambda: now)
        nothing_since: float | None = None
        for gap in gaps:
            pace.note_answer()
            end = now + gap
            while now < end:
                if pace.effort is Effort.NOTHING:
                    nothing_since = now if nothing_since is None else nothing_since
                    longest = max(longest, now - nothing_since)
                else:
                    nothing_since = None
                    rest_at = now if pace.effort > Effort.NEXT_IMAGES and rest_at is None else rest_at
                now += 0.01
    assert longest <= pacing.MOST_QUIET * 0.25 + 0.02
    assert rest_at is not None or now - 1000.0 <= pacing.MOST_SERIES_S + 1.0


def test_effort__is_out_of_the_way_when_the_next_click_of_a_rhythm_is_due(clock: list[float]) -> None:
    pace = Pacing(ServiceSettings(quiet_s=0.25))
    for _ in range(pacing.RHYTHM + 1):
        clock[0] += 1.0
        pace.note_answer()
    began, found = clock[0], []
    for passed in (0.1, 0.3, 0.55, 0.65, 1.0, 1.5, 1.7, 2.9, 3.1, 11.0):
        clock[0] = began + passed
        found.append(pace.effort)
    assert found == [Effort.NOTHING] + [Effort.HALF] * 2 + [Effort.NEXT_IMAGES] * 3 + [Effort.HALF] * 3 + [Effort.FULL]


@pytest.mark.parametrize("gaps", [[1.0, 1.0], [1.0, 4.0, 1.0, 1.0], [0.4] * 5, [0.7, 2.9] * 3, [1.0, 1.0, 1.0, 2.0]])
def test_effort__no_rhythm(clock: list[float], gaps: list[float]) -> None:
    """Too few clicks, a long look in between, no room for the background, gaps that are not alike."""
    pace = Pacing(ServiceSettings(quiet_s=0.25))
    pace.note_answer()
    for gap in gaps:
        clock[0] += gap
        pace.note_answer()
    clock[0] += 0.35
    assert pace.effort is Effort.NEXT_IMAGES


def test_effort__without_quiet_nothing_is_put_off() -> None:
    pace = Pacing(ServiceSettings(quiet_s=0))
    pace.note_answer()
    assert pace.effort is Effort.HALF


def test_pause_s__short_while_clicks_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pacing(ServiceSettings(poll_interval_s=0.1))
    assert pace.pause_s == 0.1
    pace.note_job()
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


@pytest.mark.parametrize("task", [Task.SEGMENTATION, Task.CLASSIFICATION])
def test_step__what_is_opened_next_is_predicted_between_fast_answers(tmp_path: Path, task: Task) -> None:
    session = make_session(tmp_path / "session", task, 12)
    worker = session.worker(quiet_s=ServiceSettings().quiet_s)
    ends = time.monotonic() + 30
    n_answers = 0
    while not predicted(session) - set(range(1, n_answers + 1)) and time.monotonic() < ends:
        n_answers = n_answers % 6 + 1
        session.click_halves(n_answers) if task is Task.SEGMENTATION else session.label_rightly([n_answers])
        next_answer = time.monotonic() + 0.2  # faster than the quiet ends
        while time.monotonic() < next_answer:
            worker.step() or time.sleep(0.001)
    assert predicted(session) - set(range(1, n_answers + 1))
    worker.close()


def test_step__a_refit_that_nobody_waits_for_keeps_nothing_quiet(tmp_path: Path) -> None:
    """Features that come while images are extracted, for example."""
    session = make_session(tmp_path / "session", Task.CLASSIFICATION, 12)
    worker = session.worker(quiet_s=60)
    session.label_rightly([1, 2])
    with session.db.write() as db_session:
        for job in db_session.query(Job):
            job.image_id = None
    while worker.step():
        pass
    assert predicted(session) == set(range(1, 13))
    worker.close()
