from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from db.database import Database
from db.enums import FeatureState
from db.tables.images import Image as ImageRow
from fewclick import demo


@pytest.mark.parametrize(("session", "count"), [(demo.SEGMENTATION, 9), (demo.CLASSIFICATION, 12)])
def test_write_images__tiles_cover_the_pictures(tmp_path: Path, session: demo.DemoSession, count: int) -> None:
    assert demo.write_images(tmp_path, session) == count
    files = sorted(tmp_path.iterdir())
    assert len(files) == count
    with Image.open(files[0]) as first, Image.open(files[1]) as second:
        assert first.size == second.size == session.pictures[0][1]
        assert first.tobytes() != second.tobytes()


def test_make_demo__made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A person's own session must not be touched by the demo.
    monkeypatch.setenv("FEWCLICK_SESSION", str(tmp_path / "own"))
    [session_dir] = demo.make_demo(tmp_path / "demo", [demo.SEGMENTATION])
    assert not (tmp_path / "own").exists()
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        ready = db_session.scalar(select(func.count()).where(ImageRow.features == FeatureState.READY))
    database.close()
    assert ready == 9
    marks = {path: path.stat().st_mtime_ns for path in session_dir.rglob("*") if path.is_file()}
    assert demo.make_demo(tmp_path / "demo", [demo.SEGMENTATION]) == [session_dir]
    assert {path: path.stat().st_mtime_ns for path in session_dir.rglob("*") if path.is_file()} == marks


def test_make_demo__interrupted_start_goes_on(tmp_path: Path) -> None:
    small = demo.DemoSession(demo.SEGMENTATION.name, demo.SEGMENTATION.config, (("ihc.png", (256, 256)),))
    [session_dir] = demo.make_demo(tmp_path, [small])
    (session_dir.parent / demo.COMPLETE_MARK).unlink()
    assert demo.make_demo(tmp_path, [small]) == [session_dir]
    assert (session_dir.parent / demo.COMPLETE_MARK).is_file()


def test_make_demo__says_only_what_a_person_needs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = demo.DemoSession("small", demo.SEGMENTATION.config, (("ihc.png", (256, 256)),))
    demo.make_demo(tmp_path, [small])
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 3
    assert str(tmp_path) in lines[-1]
    assert "fewclick up" not in "".join(lines)


def test_make_demo__failed_init_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = demo.DemoSession("broken", {"task": "nonsense"}, (("ihc.png", (256, 256)),))
    with pytest.raises(demo.DemoError, match="init ended with status 2"):
        demo.make_demo(tmp_path, [broken])
    assert "nonsense" in capfd.readouterr().err


def test_make_demo__says_the_folder_whatever_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "old [" / "a] [red]"
    assert demo.make_demo(root, sessions=()) == []
    assert f"are in {root}; remove" in capsys.readouterr().out
