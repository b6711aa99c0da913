"""The service as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.enums import JobState, RunState
from db.queries.classes import add_class, remove_class, restore_class
from db.queries.runs import request_run, run_epochs
from db.tables.processes import Worker
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession

ROOT = Path(__file__).resolve().parents[2]
HEARTBEAT_TIMEOUT_S = 1.5
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services; those still alive at the end are killed."""
    processes: list[subprocess.Popen[str]] = []

    def _start(session_dir: Path, **environment: str) -> subprocess.Popen[str]:
        settings = {
            "FEWCLICK_SESSION": str(session_dir),
            "FEWCLICK_ML_HEARTBEAT_TIMEOUT_S": str(HEARTBEAT_TIMEOUT_S),
            "FEWCLICK_ML_TICK_INTERVAL_S": "0.2",
            "PYTHONPATH": str(ROOT),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "ml_service.train"],
            cwd=tmp_path,
            env={**os.environ, **settings, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield _start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _wait_for(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def _endless_run(session: ToySession) -> int:
    session.click_halves(1, 2, 3, 4)
    session.hold_out(2)
    session.tune(max_epochs=100_000, early_stop_patience=10_000, learning_rate=1e-4)
    return _request(session)


def _request(session: ToySession) -> int:
    with session.db.write() as db_session:
        return request_run(db_session).id


def _losses(session: ToySession, run_id: int) -> list[tuple[int, float, float | None]]:
    with session.db.read() as db_session:
        return [(row.epoch, row.train_loss, row.val_loss) for row in run_epochs(db_session, run_id)]


def _epoch(session: ToySession, run_id: int) -> int:
    return session.run(run_id).epoch


def test_main__answers_a_click_and_stops_cleanly_on_sigterm(segmentation: ToySession, start: Start) -> None:
    process = start(segmentation.folder)
    segmentation.click_halves(1)
    _wait_for(lambda: segmentation.prediction(1))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    with segmentation.db.read() as db_session:
        assert db_session.query(Worker).count() == 0


def test_main__sigterm_during_a_run_is_quick_and_puts_it_back(segmentation: ToySession, start: Start) -> None:
    process = start(segmentation.folder)
    run_id = _endless_run(segmentation)
    _wait_for(lambda: _epoch(segmentation, run_id) > 3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - began < 3
    assert segmentation.run(run_id).state is RunState.QUEUED
    assert segmentation.jobs()[-1].state is JobState.QUEUED


def test_main__killed_worker_is_replaced_and_its_run_goes_on_as_if_unbroken(
    segmentation: ToySession, start: Start
) -> None:
    first = start(segmentation.folder, FEWCLICK_ML_RUN_SAVE_INTERVAL_S="0.05")
    segmentation.click_halves(1, 2, 3, 4)
    segmentation.hold_out(2)
    segmentation.tune(max_epochs=250, early_stop_patience=10_000, head="conv")
    broken = _request(segmentation)
    state_file = segmentation.folder / "runs" / f"run-{broken}.json"
    _wait_for(lambda: state_file.exists() and json.loads(state_file.read_bytes())["state"]["epoch"] > 3)
    first.kill()
    first.wait()
    assert segmentation.run(broken).state in (RunState.RUNNING, RunState.SUSPENDED)
    second = start(segmentation.folder)
    _wait_for(lambda: segmentation.run(broken).state is RunState.FINISHED)
    # Removed once the end is on the disk, so a moment after it can be seen.
    _wait_for(lambda: not state_file.exists())
    job = next(job for job in segmentation.jobs() if job.key == "train")
    assert (job.state, job.attempts) == (JobState.DONE, 2)

    unbroken = _request(segmentation)
    _wait_for(lambda: segmentation.run(unbroken).state is RunState.FINISHED)
    losses = [_losses(segmentation, run_id) for run_id in (broken, unbroken)]
    assert len(losses[0]) == 250
    assert losses[0] == losses[1]
    # What was clicked while nobody listened is learned too.
    revision = segmentation.click(4, (12, 20, LEFT))
    _wait_for(lambda: (found := segmentation.prediction(4)) and found.annotation_revision == revision)
    second.terminate()
    assert f"run {broken} goes on after epoch" in second.communicate(timeout=20)[1]


def test_main__without_a_session_says_so_in_one_line(tmp_path: Path, start: Start) -> None:
    process = start(tmp_path / "nothing")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.startswith("error: no session in ")
    assert error.count("\n") == 1
    assert not (tmp_path / "nothing").exists()


def test_main__bad_setting_is_named(segmentation: ToySession, start: Start) -> None:
    process = start(segmentation.folder, FEWCLICK_ML_THREADS="many")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.startswith("error: FEWCLICK_ML_THREADS='many'")


def test_main__database_without_tables_is_refused_in_one_line(tmp_path: Path, start: Start) -> None:
    (tmp_path / "annotations.db").touch()
    process = start(tmp_path)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.startswith("error: the database of the session cannot be used")
    assert error.count("\n") == 1


def test_main__as_a_script_inside_its_folder(segmentation: ToySession) -> None:
    environment = {**os.environ, "FEWCLICK_SESSION": str(segmentation.folder), "PYTHONPATH": ".."}
    process = subprocess.Popen([sys.executable, "train.py"], cwd=ROOT / "ml_service", env=environment)
    try:
        segmentation.click_halves(1)
        _wait_for(lambda: segmentation.prediction(1))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()


def test_main__removed_class_leaves_the_head_without_a_restart_and_comes_back(
    segmentation: ToySession, start: Start
) -> None:
    service = start(segmentation.folder)
    with segmentation.db.write() as db_session:
        third = add_class(db_session, "third", None).id
    revision = segmentation.click(1, (12, 20, LEFT), (52, 20, RIGHT), (30, 40, third))

    def classes() -> list[int]:
        prediction = segmentation.prediction(1)
        return [] if prediction is None or prediction.annotation_revision < revision else list(prediction.class_ids)

    _wait_for(lambda: classes() == [LEFT, RIGHT, third])
    with segmentation.db.write() as db_session:
        remove_class(db_session, third)
    _wait_for(lambda: classes() == [LEFT, RIGHT])
    with segmentation.db.write() as db_session:
        restore_class(db_session, third)
    _wait_for(lambda: classes() == [LEFT, RIGHT, third])
    assert service.poll() is None
