"""Two ML services as processes on one session: no job twice, every click answered, also when one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from db.enums import JobKind, JobState
from db.session_dir import SESSION_VARIABLE
from db.tables.processes import Event, Job, Worker
from db.tasks import Task
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, make_session
from tests.waiting import wait_until

N_IMAGES = 12


@pytest.fixture
def session(tmp_path: Path) -> ToySession:
    return make_session(tmp_path / "session", Task.SEGMENTATION, N_IMAGES)


@pytest.fixture
def services(session: ToySession) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {
        **os.environ,
        SESSION_VARIABLE: str(session.folder),
        "FEWCLICK_ML_HEARTBEAT_TIMEOUT_S": "1.5",
        "FEWCLICK_ML_TICK_INTERVAL_S": "0.2",
    }
    processes = [
        subprocess.Popen([sys.executable, "-m", "ml_service.train"], env=environment, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    wait_until(lambda: len(worker_pids(session)) == 2, "both services show signs of life")
    yield processes
    for process in processes:
        process.kill()
        process.wait()
    session.db.close()


def worker_pids(session: ToySession) -> dict[str, int]:
    with session.db.read() as db_session:
        return dict(db_session.execute(select(Worker.id, Worker.pid)).all())


def click(session: ToySession, number: int) -> tuple[int, int]:
    """The n-th click; its image and revision."""
    image_id = number % N_IMAGES + 1
    points = [(12.0, 4.0 + number / 4, LEFT), (52.0, 4.0 + number / 4, RIGHT)]
    return image_id, session.click(image_id, *points)


def is_answered(session: ToySession, image_id: int, revision: int) -> bool:
    prediction = session.prediction(image_id)
    return prediction is not None and prediction.annotation_revision >= revision


def job_at_work(session: ToySession, worker_id: str) -> bool:
    with session.db.read() as db_session:
        mine = select(Job.id).where(Job.worker_id == worker_id, Job.state == JobState.RUNNING)
        return db_session.scalar(mine) is not None


def kill_at_work(session: ToySession, victim: subprocess.Popen[bytes]) -> int:
    """Click until the victim is at a job, and kill it there; the number of clicks."""
    [worker_id] = [worker_id for worker_id, pid in worker_pids(session).items() if pid == victim.pid]
    for number in range(100):
        click(session, number)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            if job_at_work(session, worker_id):
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait()
                return number + 1
    raise AssertionError("the victim never got a job")


def test_two_services__no_job_twice_and_every_click_answered(
    session: ToySession, services: list[subprocess.Popen[bytes]]
) -> None:
    for number in range(30):
        image_id, revision = click(session, number)
        if number % 3:
            wait_until(lambda i=image_id, r=revision: is_answered(session, i, r), f"click {number}")  # type: ignore[misc]
    clicks = kill_at_work(session, services[0])
    for number in range(clicks, clicks + 5):
        image_id, revision = click(session, number)
    wait_until(lambda: is_answered(session, image_id, revision), "the click after the death")
    wait_until(
        lambda: session.info().head_label_sequence == session.info().label_sequence, "everything that was clicked"
    )
    wait_until(lambda: all(job.state is JobState.DONE for job in session.jobs()), "no job is left")
    version = session.info().head_version
    wait_until(lambda: min(session.predicted_versions().values()) >= version, "all images are predicted")
    with session.db.read() as db_session:
        answers = db_session.scalars(select(Event.payload).where(Event.kind == "prediction"))
        announced = Counter(payload["version"] for payload in answers if "annotation_revision" in payload)
    assert max(announced.values()) == 1, "a refit was recorded twice"
    taken_over = [job for job in session.jobs() if job.attempts > 1]
    assert len(taken_over) <= 1, "only the job of the dead service was begun again"
    assert {job.kind for job in session.jobs()} == {JobKind.REFIT}
