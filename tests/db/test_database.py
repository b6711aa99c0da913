"""Engine, transactions, and the cheap look for changes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from db.database import ChangeDetector, Database, database_url, require_session_dir
from db.errors import SessionNotFoundError
from db.tables.annotations import Point
from db.tables.images import Image
from db.tables.session import SessionInfo


def test_make_engine__wal_full_sync_and_foreign_keys(segmentation_session: Any) -> None:
    with segmentation_session.database.read() as db_session:
        values = [
            db_session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 30000]


def test_write__durable_waits_for_the_disk_and_only_that(segmentation_session: Any) -> None:
    database = Database(segmentation_session.database.url, waits_for_disk=False)
    found = []
    for durable in (False, True, False):
        with database.write(durable=durable) as db_session:
            found.append(db_session.scalar(text("PRAGMA synchronous")))
            db_session.get_one(Image, 1).revision += 1
    database.close()
    assert found == [1, 2, 1]


def test_write__foreign_keys_hold(segmentation_session: Any) -> None:
    with pytest.raises(IntegrityError), segmentation_session.database.write() as db_session:
        db_session.add(Point(image_id=999, class_id=1, x=0, y=0))


def test_write__rolls_back_whole_when_the_block_raises(segmentation_session: Any) -> None:
    def fail() -> None:
        with segmentation_session.database.write() as db_session:
            db_session.get_one(Image, 1).revision = 99
            db_session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with segmentation_session.database.read() as db_session:
        assert db_session.get_one(Image, 1).revision == 0


def test_write__read_then_write_in_many_threads_loses_no_update(segmentation_session: Any) -> None:
    def grow() -> None:
        for _ in range(10):
            with segmentation_session.database.write() as db_session:
                db_session.get_one(SessionInfo, 1).label_sequence += 1

    threads = [threading.Thread(target=grow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with segmentation_session.database.read() as db_session:
        assert db_session.get_one(SessionInfo, 1).label_sequence == 40


def test_read__goes_on_during_a_write(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as writer:
        writer.get_one(Image, 1).revision = 5
        writer.flush()
        with segmentation_session.database.read() as reader:
            assert reader.scalar(select(Image.revision).where(Image.id == 1)) == 0


def test_change_detector__sees_commits_of_others_once(segmentation_session: Any) -> None:
    detector = ChangeDetector(segmentation_session.database.engine)
    other = Database(segmentation_session.database.url)
    assert detector.changed()
    assert not detector.changed()
    with other.write() as db_session:
        db_session.get_one(Image, 1).revision = 1
    assert detector.changed()
    assert not detector.changed()
    detector.close()
    other.close()


def test_require_session_dir__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match=r"annotations.db was not found there.*FEWCLICK_SESSION"):
        require_session_dir(tmp_path)


def test_database_url__variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_url(tmp_path).endswith("/annotations.db")
    monkeypatch.setenv("FEWCLICK_DATABASE_URL", "postgresql+psycopg://db/x")
    assert database_url(tmp_path) == "postgresql+psycopg://db/x"
