from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from db.enums import RegionKind
from db.queries import unused_shapes
from db.queries.annotation_change import HISTORY_LENGTH
from db.queries.annotations import undo
from db.queries.regions import NewRegion, NewShape, replace_regions
from db.queries.unused_shapes import forget_shapes
from db.tables.annotations import RegionShape
from db.tables.images import Image
from db.tasks import Task
from ml_service.shape_collector import ShapeCollector
from tests.ml_service.toy_session import ToySession, make_session


@pytest.fixture
def session(tmp_path: Path) -> ToySession:
    return make_session(tmp_path / "session", Task.SEGMENTATION, 3)


def _paint(session: ToySession, image_id: int, first: int, count: int) -> None:
    for step in range(first, first + count):
        shape = NewShape(RegionKind.STROKE, {"points": [[1.0 + step / 100, 5.0]], "radius": 2.0})
        with session.db.write() as db_session:
            replace_regions(db_session, db_session.get_one(Image, image_id), [NewRegion(1, shape)])


def _shapes(session: ToySession) -> list[int]:
    with session.db.read() as db_session:
        return sorted(db_session.scalars(select(RegionShape.id)))


def _pass(session: ToySession) -> None:
    collector = ShapeCollector(session.db)
    while collector.step():
        pass


def test_step__shapes_that_no_state_names_go(session: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_shapes, "IDS_PER_STATEMENT", 3)
    _paint(session, 1, 0, HISTORY_LENGTH + 7)
    _paint(session, 3, 0, 2)
    before = _shapes(session)
    _pass(session)
    assert _shapes(session) == before[7:]
    with session.db.write() as db_session:
        assert undo(db_session, db_session.get_one(Image, 1))["regions"][0]["shape_id"] == before[-4]
    _pass(session)
    assert _shapes(session) == before[7:]


def test_step__rests_after_a_pass(session: ToySession) -> None:
    collector = ShapeCollector(session.db)
    assert not collector.step()
    _paint(session, 1, 0, HISTORY_LENGTH + 2)
    assert not collector.step()
    assert len(_shapes(session)) == HISTORY_LENGTH + 2


def test_forget_shapes__leaves_an_image_that_was_changed_meanwhile(session: ToySession) -> None:
    _paint(session, 1, 0, 2)
    with session.db.write() as db_session:
        revision = db_session.get_one(Image, 1).revision
    _paint(session, 1, 2, 1)
    with session.db.write() as db_session:
        assert not forget_shapes(db_session, 1, revision, [1])
    assert len(_shapes(session)) == 3
