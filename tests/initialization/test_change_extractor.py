"""A session goes on with another extractor: annotations stay, features are made anew; a change back costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from db.database import Database
from db.enums import CheckpointKind, FeatureState, JobKind
from db.queries.annotations import NewPoint, replace_points
from db.tables.images import Image
from db.tables.learning import Checkpoint, Prediction
from db.tables.processes import Job, Worker
from db.tables.session import SessionInfo
from models.base import Features
from models.registry import load_extractor
from tests.initialization.fakes import FakeExtractor, annotations, init, save_picture, write_config


@pytest.fixture
def session_dir(tmp_path: Path) -> Path:
    """Three images, two points on the first, a prediction and an active checkpoint."""
    for name in ("a", "b", "c"):
        save_picture(tmp_path / f"images/{name}.png")
    assert init(write_config(tmp_path, resize=64)) == 0
    database = Database.of_session(tmp_path / "session")
    with database.write() as db_session:
        image = db_session.scalars(select(Image).order_by(Image.id)).first()
        assert image is not None
        replace_points(db_session, image, [NewPoint(3, 4, 1), NewPoint(9, 9, 2)], expected_revision=None)
        image.predicted_version, image.uncertainty, image.predicted_class_id = 1, 0.5, 1
        db_session.add(Prediction(image_id=image.id, version=1, annotation_revision=1, class_ids=[1, 2]))
        db_session.add(Checkpoint(kind=CheckpointKind.RUN, path="x.safetensors", active=True, head_version=1))
    database.close()
    return tmp_path / "session"


def test_main__change_extractor_keeps_annotations_and_makes_features_anew(session_dir: Path) -> None:
    before = annotations(session_dir)
    assert init(write_config(session_dir.parent, resize=96), "--change-extractor") == 0
    assert annotations(session_dir) == before
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        assert info.extractor["resize"] == info.config["resize"] == 96
        images = db_session.scalars(select(Image)).all()
        assert all(image.features is FeatureState.READY and image.pooled_ready for image in images)
        assert {image.predicted_version for image in images} == {0}
        assert db_session.scalar(select(Prediction)) is None
        assert not db_session.scalars(select(Checkpoint)).one().active
        # The labels are learned from as soon as their new features are there.
        assert db_session.scalar(select(Job.id).where(Job.kind == JobKind.REFIT)) is not None
    database.close()
    assert init(write_config(session_dir.parent, resize=96), "--append") == 0


def test_main__change_back_finds_the_features_that_were_made_before(session_dir: Path) -> None:
    first = {path: path.stat().st_mtime_ns for path in session_dir.glob("features/*/*/*.npy")}
    assert init(write_config(session_dir.parent, resize=96), "--change-extractor") == 0
    there = {path: path.stat().st_mtime_ns for path in session_dir.glob("features/*/*/*.npy")}
    assert len(there) == 2 * len(first)
    assert init(write_config(session_dir.parent, resize=64), "--change-extractor") == 0
    assert {path: path.stat().st_mtime_ns for path in there} == there
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        assert set(db_session.scalars(select(Image.features))) == {FeatureState.READY}
    database.close()


def test_main__change_extractor_killed_on_its_way_goes_on(session_dir: Path) -> None:
    class Killed(FakeExtractor):
        def extract(self, *_: object, **__: object) -> list[Features]:  # type: ignore[override]
            raise KeyboardInterrupt

    config = write_config(session_dir.parent, resize=96)
    assert init(config, "--change-extractor", "--background", load=lambda settings: Killed(settings.resize)) == 130
    assert init(config, "--append") == 0
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        assert set(db_session.scalars(select(Image.features))) == {FeatureState.READY}
    database.close()


def test_main__change_extractor_refuses_while_a_service_works(
    session_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.add(Worker(id="w", pid=1, host="here"))
    database.close()
    assert init(write_config(session_dir.parent, resize=96), "--change-extractor") == 2
    assert "stop it" in capsys.readouterr().err


def test_main__another_extractor_is_refused_and_the_way_out_is_told(
    session_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(write_config(session_dir.parent, resize=96), "--append") == 2
    assert "--change-extractor" in capsys.readouterr().err


def test_main__change_extractor_does_not_change_what_coordinates_mean(
    session_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = write_config(session_dir.parent, resize=64, preprocessing={"crop": {"left": 2}})
    assert init(changed, "--change-extractor") == 2
    assert "preprocessing" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--append", "--change-extractor"])
def test_main__weights_that_moved_are_told_to_an_annotated_session(session_dir: Path, option: str) -> None:
    moved = session_dir.parent / "moved.pth"
    moved.write_bytes(b"the same weights")
    assert init(write_config(session_dir.parent, resize=64, weights_path=str(moved)), option) == 0
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        assert db_session.get_one(SessionInfo, 1).config["weights_path"] == str(moved)
        assert set(db_session.scalars(select(Image.features))) == {FeatureState.READY}
    database.close()


def test_main__recipe_that_is_no_longer_known_names_the_one_way_out(
    session_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        row = db_session.get_one(SessionInfo, 1)
        row.extractor = {**row.extractor, "options": {"recipe": 1}}
    database.close()
    assert init(write_config(session_dir.parent, resize=64), "--append") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "an earlier version of Fewclick made (options.recipe: found None, expected 1): add --change-ext" in error
    assert "back" not in error


def test_main__embedded_session_of_the_earlier_recipe_goes_on_as_it_was(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.png")
    config = write_config(tmp_path, resize=64)
    assert init(config, load=lambda settings: load_extractor(replace(settings, recipe=2))) == 0
    database = Database.of_session(tmp_path / "session")
    with database.write() as db_session:
        replace_points(db_session, db_session.get_one(Image, 1), [NewPoint(3, 4, 1)])
        before = db_session.get_one(SessionInfo, 1).extractor
    save_picture(tmp_path / "images/b.png")
    assert init(config, "--append", load=load_extractor) == 0
    with database.read() as db_session:
        assert db_session.get_one(SessionInfo, 1).extractor == before
        assert db_session.scalars(select(Image.features)).all() == [FeatureState.READY] * 2
    database.close()
