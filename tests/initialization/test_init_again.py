"""The command where a session is already there, whole or half made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from db.database import Database
from db.queries.annotations import skip
from db.queries.classes import add_class
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.learning import Run
from db.tables.processes import Worker
from db.tables.session import LabelClass
from initialization.create import exclusive
from models.base import FeatureExtractor
from tests.initialization.fakes import (
    FakeExtractor,
    Stopping,
    annotate,
    annotations,
    feature_files,
    init,
    make_images,
    make_session,
    rows,
    save_picture,
    write_config,
)
from tests.initialization.killable import run_and_kill, run_init


def test_main__killed_at_any_moment_gives_the_same_session(tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    for folder in (tmp_path / "whole", tmp_path / "killed"):
        for number in range(70):
            save_picture(folder / f"images/{number}.png", seed=number % 60)
        for number in (7, 33):
            (folder / f"images/{number}.png").write_bytes(b"damaged")
        save_labels = folder / "labels.csv"
        save_labels.write_text("path,x,y,class\n" + "".join(f"{n}.png,3.5,{n % 16},foreground\n" for n in range(60)))
    whole, killed = (write_config(tmp_path / name, labels_dir="labels.csv") for name in ("whole", "killed"))
    assert init(whole, "--yes") == 0
    random = np.random.default_rng(2)
    moments_s = random.uniform(0.02, 0.6, 10)
    killed_at_work = [run_and_kill(run_init, killed, delay_s=0.02, after_s=float(moment_s)) for moment_s in moments_s]
    assert sum(killed_at_work) >= 4, "the runs were over before they could be killed"
    assert init(killed, "--yes") == 0
    a, b = tmp_path / "whole/session", tmp_path / "killed/session"
    assert rows(a) == rows(b)
    assert feature_files(a) == feature_files(b)
    assert annotations(a) == annotations(b)
    database = Database.of_session(b)
    with database.read() as db_session:
        states = db_session.scalars(select(AnnotationState.image_id)).all()
        assert len(states) == len(set(states)) == 58, "no label was imported twice"
    database.close()


def test_main__finished_features_are_not_made_again(tmp_path: Path) -> None:
    make_images(tmp_path, 6)
    config = write_config(tmp_path)
    extractor = FakeExtractor()

    def stop_after_three(*_: object) -> FeatureExtractor:
        return Stopping(extractor, 3)

    assert init(config, "--max-files", "6", load=stop_after_three) == 130
    # Timing has used some of the calls; files of finished images are kept whether or not their rows were committed.
    finished = len([name for name in feature_files(tmp_path / "session") if name.endswith(".pooled.npy")])
    assert finished > 0
    resumed = FakeExtractor()
    assert init(config, load=lambda *_: resumed) == 0
    todo_timing = min(4, 6)
    assert resumed.extracted <= 6 - finished + todo_timing
    assert {row["features"] for row in rows(tmp_path / "session")} == {"ready"}


def test_main__interrupt_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_images(tmp_path, 6)
    assert init(write_config(tmp_path), load=lambda *_: Stopping(FakeExtractor(), 2)) == 130
    assert "run the same command again to go on" in capsys.readouterr().err


def test_main__two_at_once_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, session_dir = make_session(tmp_path)
    with exclusive(session_dir):
        assert init(config) == 2
    assert "another initialization is at work" in capsys.readouterr().err
    assert init(config) == 0


def test_main__annotated_session_is_refused_then_appended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, session_dir = make_session(tmp_path)
    annotate(session_dir)
    before, points = rows(session_dir), annotations(session_dir)
    save_picture(tmp_path / "images/new.png")
    assert init(config, "--yes") == 2
    error = capsys.readouterr().err
    for part in ("holds annotations of 1 image:", "--append", "--move-aside"):
        assert part in error
    assert error.count("\n") == 1
    assert rows(session_dir) == before, "nothing is half done"
    assert init(config, "--append") == 0
    after = rows(session_dir)
    assert after[:3] == before
    assert (after[3]["path"], after[3]["features"]) == ("new.png", "ready")
    assert annotations(session_dir) == points


def test_main__going_on_tells_the_classes_and_labels_that_the_session_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, session_dir = make_session(tmp_path)
    annotate(session_dir)
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        add_class(db_session, "rust", color="#123456")
        skip(db_session, db_session.scalars(select(Image).where(Image.revision == 0).limit(1)).one())
    database.close()
    capsys.readouterr()
    assert init(config, "--append") == 0
    told = capsys.readouterr().out
    assert ", rust" in told
    assert "work on 2 images kept as found (1 labelled)" in " ".join(told.split())


def test_main__move_aside_keeps_the_old_session(tmp_path: Path) -> None:
    config, session_dir = make_session(tmp_path)
    annotate(session_dir)
    before, files, points = rows(session_dir), feature_files(session_dir), annotations(session_dir)
    assert init(config, "--move-aside") == 0
    assert annotations(session_dir) == {}
    (old,) = tmp_path.glob("session.*")
    assert (rows(old), feature_files(old), annotations(old)) == (before, files, points)


def test_main__move_aside_refuses_while_an_ml_service_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, session_dir = make_session(tmp_path)
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.add(Worker(id="w", pid=1, host="here"))
    database.close()
    assert init(config, "--move-aside") == 2
    assert "stop it" in capsys.readouterr().err
    assert session_dir.is_dir()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"task": "classification"}, "task is segmentation, found classification"),
        ({"resize": 96}, "resize: found 96, expected 64"),
        ({"image_dir": "other"}, "the images lie in"),
    ],
)
def test_main__other_settings_are_refused_even_with_append(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], part: str
) -> None:
    _, session_dir = make_session(tmp_path)
    save_picture(tmp_path / "other/x.png")
    before, files = rows(session_dir), feature_files(session_dir)
    changed = write_config(tmp_path, **changes)
    for extra in ([], ["--append"]):
        assert init(changed, *extra) == 2
        error = capsys.readouterr().err
        assert part in error
        assert "--move-aside" in error
    assert (rows(session_dir), feature_files(session_dir)) == (before, files)
    assert init(changed, "--move-aside") == 0


def test_main__changed_classes_take_effect_until_something_is_annotated(tmp_path: Path) -> None:
    _, session_dir = make_session(tmp_path)

    def class_names() -> list[str]:
        database = Database.of_session(session_dir)
        with database.read() as db_session:
            names = list(db_session.scalars(select(LabelClass.name).order_by(LabelClass.position)))
        database.close()
        return names

    assert init(write_config(tmp_path, classes=["cell", "rest"], max_points=9)) == 0
    assert class_names() == ["cell", "rest"]
    annotate(session_dir)
    assert init(write_config(tmp_path, classes=["a", "b"]), "--append") == 0
    assert class_names() == ["cell", "rest"]


def test_main__session_of_finished_runs_keeps_them(tmp_path: Path) -> None:
    config, session_dir = make_session(tmp_path)
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.add(Run(message="kept"))
    (session_dir / "checkpoints").mkdir()
    (session_dir / "checkpoints/1.safetensors").write_bytes(b"weights")
    assert init(config) == 0
    with database.read() as db_session:
        assert db_session.scalars(select(Run.message)).all() == ["kept"]
    database.close()
    assert (session_dir / "checkpoints/1.safetensors").read_bytes() == b"weights"
