"""Saved heads on new images: what was exported gives the same answers as the session, without it."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.database import Database
from db.tables.session import SessionInfo
from db.tasks import Task
from fewclick import cli
from fewclick.apply import ModelError, load_model
from initialization.config import SessionConfig
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.registry import load_extractor
from tests.fewclick.conftest import MakeSession
from tests.saved_checkpoints import put_checkpoint

RESIZE = 64
Exported = Callable[[Task], tuple[Path, Path]]


@pytest.fixture
def exported(make_session: MakeSession, tmp_path: Path) -> Exported:
    """Makes a session with one checkpoint, and a folder with that exported."""

    def make(task: Task) -> tuple[Path, Path]:
        session_dir = make_session(task.name, task)
        classes = [{"name": "a", "color": "#FF0000"}, {"name": "b", "color": "#00FF00"}]
        config = SessionConfig.model_validate(
            {"task": task.name, "image_dir": str(tmp_path), "classes": classes, "resize": RESIZE}
        )
        info = load_extractor(ExtractorSettings(resize=RESIZE)).info
        database = Database.of_session(session_dir)
        with database.write() as db_session:
            row = db_session.get_one(SessionInfo, 1)
            row.extractor, row.config = info.to_json(), config.model_dump(mode="json")
        put_checkpoint(session_dir, database, "live-1")
        database.close()
        folder = tmp_path / f"model-{task.name}"
        run("checkpoints", "export", "1", str(folder), "--session", str(session_dir))
        return session_dir, folder

    return make


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures of one name in different formats, one that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(3)
    for name in ("one.png", "one.bmp"):
        Image.fromarray(random.integers(0, 255, (40, 56, 3), dtype=np.uint8)).save(folder / name)
    (folder / "text.png").write_text("no picture")
    return folder


def run(*arguments: str, status: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == status


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_predict__masks_of_the_session_and_of_the_export_are_the_same(
    exported: Exported, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_dir, folder = exported(Task.SEGMENTATION)
    run("predict", "--session", str(session_dir), str(pictures), "--out", str(tmp_path / "x"), status=1)
    assert "left out" in capsys.readouterr().out
    shutil.rmtree(session_dir)
    run("predict", "--checkpoint", str(folder), str(pictures), "--out", str(tmp_path / "y"), status=1)
    assert rows(tmp_path / "x") == rows(tmp_path / "y")
    assert [row["mask"] for row in rows(tmp_path / "y")] == ["masks/one.png", "masks/one_2.png"]
    with Image.open(tmp_path / "y" / "masks" / "one.png") as mask:
        values = np.asarray(mask)
        assert mask.getpalette()[:6] == [255, 0, 0, 0, 255, 0]
    assert values.shape == (40, 56)
    shares = rows(tmp_path / "y")[0]
    assert float(shares["a"]) + float(shares["b"]) == pytest.approx(1)
    classes = (tmp_path / "y" / "classes.csv").read_text().splitlines()
    assert classes == ["value,class_id,name,color", "0,1,a,#FF0000", "1,2,b,#00FF00"]


def test_predict__text_that_a_spreadsheet_would_run_is_guarded(
    exported: Exported, pictures: Path, tmp_path: Path
) -> None:
    _, folder = exported(Task.CLASSIFICATION)
    (pictures / "text.png").unlink()
    described = json.loads((folder / "head.json").read_text())
    described["class_names"] = ["=1+1", "'@b"]
    (folder / "head.json").write_text(json.dumps(described))
    (pictures / "one.png").rename(tmp_path / "-a.png")
    with contextlib.chdir(tmp_path):
        run("predict", "--checkpoint", str(folder), "--out", "results", "--", "-a.png")
    (row,) = rows(tmp_path / "results")
    assert list(row) == ["image", "prediction", "mask", "'=1+1", "''@b"]
    assert row["image"] == "'-a.png"
    assert row["prediction"] in {"'=1+1", "''@b"}
    with (tmp_path / "results" / "classes.csv").open(encoding="utf-8") as stream:
        assert [line["name"] for line in csv.DictReader(stream)] == ["'=1+1", "''@b"]


def test_load_model__classes_in_python(exported: Exported, pictures: Path) -> None:
    _, folder = exported(Task.CLASSIFICATION)
    model = load_model(folder)
    first, second = model.predict([pictures / "one.png", str(pictures / "one.bmp")])
    assert first.mask is None
    assert sum(first.shares(model.class_names).values()) == pytest.approx(1)
    assert first.probabilities.shape == second.probabilities.shape == (2,)


def test_load_model__what_is_not_right_is_told(exported: Exported, tmp_path: Path) -> None:
    _, folder = exported(Task.CLASSIFICATION)
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        load_model(tmp_path)
    description = json.loads((folder / "head.json").read_text())
    other = description | {"extractor": description["extractor"] | {"weights_hash": "f" * 16}}
    (folder / "head.json").write_text(json.dumps(other))
    with pytest.raises(WeightsError, match="weights_hash: found"):
        load_model(folder)
    (folder / "head.json").write_text(json.dumps(description))
    (folder / "head.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)
    (folder / "model.json").write_text('{"task": 3}')
    with pytest.raises(ModelError, match="export the checkpoint again"):
        load_model(folder)


def test_export__into_a_folder_that_holds_something(
    exported: Exported, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_dir, _ = exported(Task.CLASSIFICATION)
    run("checkpoints", "export", "1", str(pictures), "--session", str(session_dir), status=2)
    assert "name a new or empty folder" in capsys.readouterr().err
    run("predict", "nothing.png", "--session", str(session_dir), "--out", str(pictures / "out"), status=2)
    assert "there is no such file or folder" in capsys.readouterr().err
