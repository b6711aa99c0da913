"""Full runs: started, followed, interrupted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from db.queries.runs import request_run, request_stop
from db.tables.learning import RunEpoch
from db.tables.processes import Event
from ml_service.worker import Worker
from tests.ml_service.toy_session import ToySession, work_off


def save(session: ToySession, image_id: int | None = None) -> int:
    with session.db.write() as db_session:
        return request_run(db_session, image_id).id


def states_told(session: ToySession, run_id: int) -> list[str]:
    with session.db.read() as db_session:
        events = db_session.scalars(select(Event).where(Event.kind == "training").order_by(Event.id))
        states = [event.payload["state"] for event in events if event.payload.get("run_id") == run_id]
    return [state for n, state in enumerate(states) if n == 0 or states[n - 1] != state]


def epochs_of(session: ToySession, run_id: int) -> list[tuple[int, float, float | None]]:
    with session.db.read() as db_session:
        rows = db_session.scalars(select(RunEpoch).where(RunEpoch.run_id == run_id).order_by(RunEpoch.epoch))
        return [(row.epoch, row.train_loss, row.val_loss) for row in rows]


def stop_run(session: ToySession) -> None:
    with session.db.write() as db_session:
        request_stop(db_session)


def leave_run(session: ToySession, monkeypatch: pytest.MonkeyPatch, step: int) -> int:
    """A service begins a run and is stopped at a given batch of it; returns the run's id."""
    worker = session.worker()
    work_off(worker)
    interrupt_at(monkeypatch, worker, step, worker.stop)
    run_id = save(session)
    worker.step()
    worker.close()
    return run_id


def interrupt_at(monkeypatch: pytest.MonkeyPatch, worker: Worker, *steps: int | Callable[[], object]) -> None:
    """Do something at a given batch of the run, as another process would: (tick, action, tick, action, ...)."""
    actions = dict(zip(steps[::2], steps[1::2], strict=True))
    count = 0
    original = worker.is_stopping

    def is_stopping() -> bool:
        nonlocal count
        count += 1
        action = actions.get(count)
        if callable(action):
            action()
        return original()

    monkeypatch.setattr(worker, "is_stopping", is_stopping)
