"""A second run on a folder whose files changed, came, or went; by the real command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from db.database import Database
from db.enums import FeatureState
from db.queries.annotations import NewPoint, clear, skip, undo
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tables.learning import Prediction
from initialization import file_changes
from initialization.file_changes import FileChanges
from initialization.inspection import inspect_file
from models.base import ExtractorInfo
from models.feature_store import FeatureStore
from models.images import content_hash
from tests.initialization.fakes import (
    FakeExtractor,
    annotate,
    annotations,
    feature_files,
    init,
    make_session,
    opened,
    rows,
    save_picture,
)


def make_annotated(tmp_path: Path) -> tuple[Path, Path]:
    """A config and its session; the first image is annotated."""
    config, session_dir = make_session(tmp_path)
    annotate(session_dir)
    return config, session_dir


def add_prediction(session_dir: Path, image_id: int) -> None:
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.add(Prediction(image_id=image_id, version=1, annotation_revision=0, class_ids=[1]))
        db_session.get_one(Image, image_id).predicted_version = 1
    database.close()


def count_predictions(session_dir: Path) -> int:
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        count = db_session.query(Prediction).count()
    database.close()
    return count


def append(config: Path) -> FakeExtractor:
    """The run that takes note of changes; the extractor tells how much it had to do."""
    extractor = FakeExtractor()
    assert init(config, "--append", load=lambda *_: extractor) == 0
    return extractor


def row(session_dir: Path, name: str) -> dict[str, Any]:
    return next(found for found in rows(session_dir) if found["path"] == name)


def test_append__new_files_are_added_and_nothing_else_is_touched(tmp_path: Path) -> None:
    config, session_dir = make_annotated(tmp_path)
    before, files, points = rows(session_dir), feature_files(session_dir), annotations(session_dir)
    save_picture(tmp_path / "images/sub/9.png")
    save_picture(tmp_path / "images/sub_9.png")
    append(config)
    after = rows(session_dir)
    assert after[:3] == before
    assert [found["path"] for found in after[3:]] == ["sub/9.png", "sub_9.png"]
    assert all(found["features"] == "ready" for found in after)
    assert {name: digest for name, digest in feature_files(session_dir).items() if name in files} == files
    assert annotations(session_dir) == points


def test_append__nothing_changed_nothing_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, session_dir = make_annotated(tmp_path)
    before = rows(session_dir)
    capsys.readouterr()
    assert append(config).extracted == 0
    assert rows(session_dir) == before
    output = capsys.readouterr().out
    assert "made anew" not in output
    assert " gone " not in output


@pytest.mark.parametrize("name", ["0.png", "1.png"])
def test_append__changed_file_of_the_same_size_gets_new_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    config, session_dir = make_annotated(tmp_path)
    before, points = row(session_dir, name), annotations(session_dir)
    add_prediction(session_dir, before["id"])
    file = save_picture(tmp_path / "images" / name, seed=77)
    append(config)
    after = row(session_dir, name)
    assert after["content_hash"] == content_hash(file) != before["content_hash"]
    assert (after["features"], after["failure"], after["file_size"]) == ("ready", None, file.stat().st_size)
    assert after["predicted_version"] == 0, "the old prediction is of another picture"
    assert count_predictions(session_dir) == 0
    assert annotations(session_dir) == points
    assert (after["label_sequence"] > before["label_sequence"]) == (name == "0.png"), (
        "what was annotated is learned anew"
    )
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        info = ExtractorInfo.from_json(get_session_info(db_session).extractor)
    database.close()
    assert FeatureStore(session_dir, info).has(after["content_hash"])
    assert "1 file: features made anew" in capsys.readouterr().out


def test_append__touched_file_is_only_looked_at(tmp_path: Path) -> None:
    config, session_dir = make_annotated(tmp_path)
    file = tmp_path / "images/0.png"
    os.utime(file, ns=(1, 1))
    before = row(session_dir, "0.png")
    assert append(config).extracted == 0
    assert row(session_dir, "0.png") == before
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        assert db_session.get_one(Image, 1).file_mtime_ns == 1, "so that the next run need not read it"
    database.close()


def test_append__other_size_without_annotations_is_taken(tmp_path: Path) -> None:
    config, session_dir = make_annotated(tmp_path)
    save_picture(tmp_path / "images/1.png", size=(40, 30))
    append(config)
    found = row(session_dir, "1.png")
    assert (found["width"], found["height"], found["features"]) == (40, 30, "ready")


def test_append__other_size_with_annotations_fails_until_the_old_file_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, session_dir = make_annotated(tmp_path)
    file = tmp_path / "images/0.png"
    old, points, before = file.read_bytes(), annotations(session_dir), row(session_dir, "0.png")
    save_picture(file, size=(40, 30), seed=5)
    for _ in range(2):  # also when it has failed before
        append(config)
        found = row(session_dir, "0.png")
        assert found["features"] == "failed"
        assert (
            "40 x 30 pixels, its annotations belong to a picture of 24 x 16: put the old file back" in found["failure"]
        )
        assert (found["width"], found["height"], found["content_hash"]) == (24, 16, before["content_hash"])
        assert annotations(session_dir) == points
    assert "put the old file back" in capsys.readouterr().out.replace("\n", " ")

    file.write_bytes(old)
    append(config)
    found = row(session_dir, "0.png")
    assert (found["features"], found["failure"], found["content_hash"]) == ("ready", None, before["content_hash"])


@pytest.mark.parametrize("change", [clear, skip])
@pytest.mark.parametrize("has_failed", [False, True])
def test_append__other_size_fails_while_undo_could_bring_annotations_back(
    tmp_path: Path, change: Callable[[Session, Image], object], has_failed: bool
) -> None:
    config, session_dir = make_annotated(tmp_path)
    before = annotations(session_dir)
    with opened(session_dir) as database, database.write() as db_session:
        image = db_session.get_one(Image, 1)
        change(db_session, image)
        if has_failed:  # then it is the extraction that finds the new file
            image.features, image.failure = FeatureState.PENDING, "once"
    save_picture(tmp_path / "images/0.png", size=(6, 5))
    append(config)
    with opened(session_dir) as database, database.write() as db_session:
        undo(db_session, db_session.get_one(Image, 1))
    found = row(session_dir, "0.png")
    assert (found["features"], found["width"], found["height"]) == ("failed", 24, 16)
    assert "give the new picture another name" in found["failure"]
    assert annotations(session_dir) == before


def test_apply__annotated_between_look_and_decision(tmp_path: Path) -> None:
    _config, session_dir = make_annotated(tmp_path)
    file = save_picture(tmp_path / "images/1.png", size=(6, 5))
    with opened(session_dir) as database:
        known = next(each for each in file_changes._known(database) if each.path == "1.png")
        annotate(session_dir, [NewPoint(20, 10, 1)], known.id)
        found = FileChanges()
        with database.write() as db_session:
            file_changes._apply(db_session, known, inspect_file(file), found)
    assert (found.renewed, found.refused) == ([], ["1.png"])
    after = row(session_dir, "1.png")
    assert (after["features"], after["width"], after["content_hash"]) == ("failed", 24, known.facts.content_hash)


def test_apply__what_somebody_else_found_out_since_stands(tmp_path: Path) -> None:
    _config, session_dir = make_annotated(tmp_path)
    with opened(session_dir) as database:
        known = next(each for each in file_changes._known(database) if each.path == "1.png")
        stale = inspect_file(save_picture(tmp_path / "images/1.png", size=(6, 5)))
        with database.write() as db_session:
            db_session.get_one(Image, known.id).content_hash = "newer"
        found = FileChanges()
        with database.write() as db_session:
            file_changes._apply(db_session, known, stale, found)
    assert (found.renewed, found.refused) == ([], [])
    assert row(session_dir, "1.png")["content_hash"] == "newer"


def test_append__annotated_file_that_became_unreadable_keeps_what_its_annotations_mean(tmp_path: Path) -> None:
    config, session_dir = make_annotated(tmp_path)
    file = tmp_path / "images/0.png"
    points, before = annotations(session_dir), row(session_dir, "0.png")
    file.write_bytes(b"no picture")
    for _ in range(2):
        append(config)
        found = row(session_dir, "0.png")
        assert found["features"] == "failed"
        assert "not an image" in found["failure"]
        assert (found["width"], found["height"], found["content_hash"]) == (24, 16, before["content_hash"])
    assert annotations(session_dir) == points
    save_picture(file, size=(40, 30))
    append(config)
    assert "annotations belong to a picture of 24 x 16" in row(session_dir, "0.png")["failure"]


def test_append__vanished_files_are_told_and_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, session_dir = make_annotated(tmp_path)
    before, points = rows(session_dir), annotations(session_dir)
    (tmp_path / "images/0.png").unlink()
    (tmp_path / "images/2.png").unlink()
    append(config)
    assert rows(session_dir) == before
    assert annotations(session_dir) == points
    assert "2 files (0.png, 2.png): images and annotations stay" in capsys.readouterr().out.replace("\n", " ")


def test_init__session_from_before_file_facts_learns_them(tmp_path: Path) -> None:
    config, session_dir = make_annotated(tmp_path)
    before = rows(session_dir)
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.query(Image).update({"file_size": None, "file_mtime_ns": None})
    database.close()
    assert append(config).extracted == 0
    assert rows(session_dir) == before
