"""No step of a click looks at every image, label, prediction, event or job of the session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from db.database import Database
from db.enums import JobKind, RegionKind
from db.queries.annotations import undo
from db.queries.events import events_after, last_event_id
from db.queries.images import get_image_row
from db.queries.jobs import request_job
from db.queries.next_image import next_image, note_model_pick
from db.queries.predictions import is_prediction_requested, prediction_status
from db.queries.regions import NewRegion, NewShape, RegionEdit, edit_regions
from db.queries.session_info import Strategy
from db.tables.images import Image
from db.tasks import Task
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, make_session, work_off

GROWS_WITH_THE_SESSION = ("images", "points", "labels", "image_classes", "predictions", "annotation_states", "events",
                          "jobs", "prediction_outcomes", "regions", "region_shapes")  # fmt: skip
Statement = tuple[str, Any]


@contextmanager
def recorded(*engines: Engine) -> Iterator[list[Statement]]:
    """Every statement with its parameters."""
    statements: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, executemany: bool) -> None:
        statements.append((text, parameters[0] if executemany else parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def full_looks(db: Database, statements: list[Statement]) -> list[str]:
    """What the statements do to whole tables, by SQLite's own account."""
    found = []
    with db.engine.connect() as connection:
        for text, parameters in dict(statements).items():
            if text.split()[0] not in ("SELECT", "UPDATE", "DELETE"):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
            found += [f"{row.detail}: {text}" for row in plan if is_full_look(row.detail, text)]
    return found


def is_full_look(detail: str, text: str) -> bool:
    # An index in the order asked for, left after a few rows, is no look at everything.
    along_index = "USING" in detail and "LIMIT" in text
    return bool(re.match(rf"SCAN ({'|'.join(GROWS_WITH_THE_SESSION)})\b", detail)) and not along_index


@pytest.fixture(params=[Task.SEGMENTATION, Task.CLASSIFICATION], ids=["segmentation", "classification"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> ToySession:
    return make_session(tmp_path / "session", request.param, 6)


def annotate(session: ToySession, image_id: int) -> None:
    if session.task is Task.SEGMENTATION:
        session.click(image_id, (12.0, 20.0, LEFT), (52.0, 20.0, RIGHT))
    else:
        session.label(image_id, LEFT if image_id % 2 else RIGHT)


def test_click__looks_at_nothing_in_full(session: ToySession) -> None:
    worker = session.worker(tick_interval_s=1000.0)
    annotate(session, 1)
    annotate(session, 2)
    work_off(worker)
    with recorded(session.db.engine, worker._context.db.engine) as statements:
        annotate(session, 3)
        worker.step()
        with session.db.read() as db_session:
            prediction_status(db_session, 3)
            is_prediction_requested(db_session, 3)
            events_after(db_session, last_event_id(db_session) - 2)
            get_image_row(db_session, 3)
        with session.db.write() as db_session:
            undo(db_session, db_session.get_one(Image, 3))
        worker.step()
    assert len(statements) > 30
    assert full_looks(session.db, statements) == []
    worker.close()


def test_stroke__looks_at_nothing_in_full(tmp_path: Path) -> None:
    session = make_session(tmp_path / "session", Task.SEGMENTATION, 6)
    worker = session.worker(tick_interval_s=1000.0)
    annotate(session, 1)
    work_off(worker)
    shape = NewShape(RegionKind.STROKE, {"points": [[8.0, 6.0], [10.0, 40.0]], "radius": 4.0})
    with recorded(session.db.engine, worker._context.db.engine) as statements:
        for class_id in (LEFT, None):
            with session.db.write() as db_session:
                edit = RegionEdit(add=[NewRegion(class_id, shape)])
                edit_regions(db_session, db_session.get_one(Image, 2), edit)
            worker.step()
        with session.db.write() as db_session:
            undo(db_session, db_session.get_one(Image, 2))
        worker.step()
    assert any("region_shapes" in text for text, _ in statements)
    assert full_looks(session.db, statements) == []
    worker.close()


def test_sweep__looks_at_nothing_in_full(session: ToySession) -> None:
    worker = session.worker(tick_interval_s=1000.0, live_checkpoint_delay_s=1000.0)
    annotate(session, 1)
    annotate(session, 2)
    assert worker._do_next_job(None)
    model = worker.keeper.model
    assert model is not None
    for strategy in Strategy:
        session.tune(strategy=strategy.value)
        with recorded(worker._context.db.engine) as statements:
            worker._sweep._ahead_of = None
            worker._sweep.step(model, 2)
            worker._sweep._predict_rest(model, 1)
        assert full_looks(session.db, statements) == []
    worker.close()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_opening__looks_at_nothing_in_full(session: ToySession, strategy: Strategy) -> None:
    with recorded(session.db.engine) as statements:
        with session.db.read() as db_session:
            next_image(db_session, strategy, current_id=2)
            next_image(db_session, strategy, class_id=1)
        with session.db.write() as db_session:
            note_model_pick(db_session, 2)
            request_job(db_session, JobKind.PREDICT, 2)
    assert full_looks(session.db, statements) == []
