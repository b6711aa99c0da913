"""The command from end to end: real files, real SQLite, real processes; a fake extractor where pixels do not matter."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from db.database import Database
from db.tables.session import LabelClass, SessionInfo
from initialization import compute
from initialization.report import format_bytes
from models.base import ExtractorInfo
from models.feature_store import FeatureStore
from models.geometry import make_grid
from models.images import read_image
from tests.initialization.fakes import (
    FakeExtractor,
    Stopping,
    feature_files,
    init,
    make_images,
    make_session,
    rows,
    save_picture,
    write_config,
    write_json,
)

ROOT = Path(__file__).resolve().parents[2]


def test_main__makes_a_complete_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, session_dir = make_session(tmp_path, 12, name="leaves", max_points=77)
    found = rows(session_dir)
    assert [row["path"] for row in found] == [f"{number}.png" for number in range(12)], "natural order"
    assert all((row["width"], row["height"], row["features"]) == (24, 16, "ready") for row in found)
    assert len({row["random_key"] for row in found}) == 12
    assert all(0 <= row["random_key"] < 1 for row in found)
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        assert (info.name, info.task.name, info.training["max_points"]) == ("leaves", "segmentation", 77)
        assert info.image_root == "../images"
        store = FeatureStore(session_dir, ExtractorInfo.from_json(info.extractor))
        names = db_session.scalars(select(LabelClass.name).order_by(LabelClass.position)).all()
        assert names == ["foreground", "background"]
    database.close()
    for row in found:
        grid = make_grid(24, 16, store.info)
        assert store.read_patches(row["content_hash"]).shape == (grid.height, grid.width, 3)
    output = capsys.readouterr().out
    for part in ("12 in", "estimate", "12 x", "registered", "ready", "next", "fewclick up"):
        assert part in output.replace("8 x 5 cells", "12 x")


def test_main__classification_stores_pooled_vectors_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_images(tmp_path, 6)
    config = write_config(tmp_path, task="classification")
    session_dir = tmp_path / "session"
    assert init(config, "--yes", load=lambda *_: Stopping(FakeExtractor(), 2)) == 130
    assert init(config, "--yes") == 0, "a stopped run goes on"
    assert {row["features"] for row in rows(session_dir)} == {"ready"}
    names = [name for name in feature_files(session_dir) if name.endswith(".npy")]
    assert len(names) == 6
    assert all(name.endswith(".pooled.npy") for name in names)
    output = capsys.readouterr().out
    size = sum(path.stat().st_size for path in (session_dir / "features").rglob("*.npy"))
    assert f"and {format_bytes(size)} for 6 images (a vector for each)" in output, "the estimate"
    resumed = FakeExtractor()
    assert init(config, "--yes", load=lambda *_: resumed) == 0
    assert resumed.extracted == 0


def test_main__max_files_takes_the_first_and_grows_later(tmp_path: Path) -> None:
    make_images(tmp_path, 5)
    config = write_config(tmp_path)
    assert init(config, "--max-files", "2") == 0
    assert [row["path"] for row in rows(tmp_path / "session")] == ["0.png", "1.png"]
    assert init(config, "--max-files", "4") == 0
    assert [(row["id"], row["path"]) for row in rows(tmp_path / "session")] == [
        (number + 1, f"{number}.png") for number in range(4)
    ]


def test_main__names_that_would_collide_flattened_stay_apart(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a/b.png")
    save_picture(tmp_path / "images/a_b.png")
    assert init(write_config(tmp_path)) == 0
    assert [row["path"] for row in rows(tmp_path / "session")] == ["a/b.png", "a_b.png"]


def test_main__equal_content_shares_features(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save_picture(tmp_path / "images" / name, seed=1)
    assert init(write_config(tmp_path)) == 0
    assert [row["features"] for row in rows(tmp_path / "session")] == ["ready"] * 3
    assert len([name for name in feature_files(tmp_path / "session") if name.endswith(".npy")]) == 2


def test_main__session_dir_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_images(tmp_path, 1)
    monkeypatch.setenv("FEWCLICK_SESSION", str(tmp_path / "elsewhere"))
    assert init(write_config(tmp_path)) == 0
    assert len(rows(tmp_path / "elsewhere")) == 1
    assert not (tmp_path / "session").exists()


@pytest.mark.parametrize("kind", ["zip", "json"])
def test_main__archives_and_lists(tmp_path: Path, kind: str) -> None:
    make_images(tmp_path, 3)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
            for path in sorted((tmp_path / "images").iterdir()):
                archive.write(path, f"in/{path.name}")
    else:
        entries = [{"url": f"images/{number}.png", "site": number} for number in range(3)] + [{"url": "gone.png"}]
        write_json(tmp_path / "source.json", entries)
    config = write_config(tmp_path, image_dir=f"source.{kind}")
    for _ in range(2):  # the second run finds everything done
        assert init(config) == 0
        found = rows(tmp_path / "session")
        assert [row["features"] for row in found[:3]] == ["ready"] * 3
        if kind == "json":
            assert [row["extra"].get("site") for row in found] == [0, 1, 2, None]
            assert found[3]["features"] == "failed"
            assert "No such file" in found[3]["failure"]
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        assert db_session.get_one(SessionInfo, 1).image_root == "images"
    database.close()


def make_awkward_images(folder: Path) -> dict[str, tuple[int, int] | str]:
    """Files that other systems choke on; by name the upright size, or a part of the reason why it fails."""
    folder.mkdir()
    rgb = np.random.default_rng(3).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    picture = PillowImage.fromarray(rgb)
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    picture.save(folder / "wide.png")
    picture.save(folder / "rotated.jpg", exif=exif)
    picture.resize((16, 16)).save(folder / "tiny.png")
    PillowImage.new("L", (10_000, 5_000), 90).save(folder / "huge.png")
    picture.quantize(16).save(folder / "palette.png")
    picture.convert("L").save(folder / "grey.png")
    PillowImage.fromarray(np.linspace(0, 40_000, 5400).astype(np.uint16).reshape(60, 90)).save(folder / "deep.png")
    cv2.imwrite(str(folder / "deep_color.tif"), rgb.astype(np.uint16) * 257)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.putalpha(128)
    picture.save(folder / "alpha.png")
    PillowImage.fromarray(rgb).save(folder / "cut.jpg", quality=95)
    data = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("not an image")
    sizes: dict[str, tuple[int, int] | str] = dict.fromkeys(
        ("wide.png", "palette.png", "grey.png", "deep.png", "deep_color.tif", "cmyk.jpg", "alpha.png"), (90, 60)
    )
    sizes |= {"rotated.jpg": (60, 90), "tiny.png": (16, 16), "huge.png": (10_000, 5_000)}
    return sizes | {"cut.jpg": "truncated", "empty.png": "0 bytes", "text.jpg": "no known format"}


def test_main__every_kind_of_image_with_the_real_extractor(tmp_path: Path) -> None:
    expected = make_awkward_images(tmp_path / "images")
    config = write_config(tmp_path, resize=64)
    arguments = ["--config", str(config), "--yes"]
    done = subprocess.run(
        [sys.executable, ROOT / "initialization/init_session.py", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = {row["path"]: row for row in rows(tmp_path / "session")}
    assert found.keys() == expected.keys()
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        info = ExtractorInfo.from_json(db_session.get_one(SessionInfo, 1).extractor)
    database.close()
    assert (info.name, info.resize) == ("efficientnet_lite0", 64)
    store = FeatureStore(tmp_path / "session", info)
    for name, wanted in expected.items():
        row = found[name]
        if isinstance(wanted, str):
            assert (row["features"], row["width"], row["height"]) == ("failed", None, None)
            assert wanted in row["failure"]
            assert f"{name}  {name} " in done.stdout, "the reason is shown"
            assert wanted in done.stdout
        else:
            assert (row["features"], row["failure"]) == ("ready", None)
            assert (row["width"], row["height"]) == wanted
            grid = make_grid(*wanted, info)
            patches = store.read_patches(row["content_hash"])
            assert patches.shape == (grid.height, grid.width, info.dim)
            assert np.isfinite(patches).all()
    # The same picture in another encoding gives nearly the same features: it was decoded right, not just somehow.
    reference = store.read_pooled(found["wide.png"]["content_hash"])
    for name in ("palette.png", "deep_color.tif", "cmyk.jpg"):
        assert np.corrcoef(reference, store.read_pooled(found[name]["content_hash"]))[0, 1] > 0.8, name
    assert "3 images left out" in done.stdout


def test_main__repaired_image_is_taken_on_the_next_run(tmp_path: Path) -> None:
    make_images(tmp_path, 2)
    (tmp_path / "images/1.png").write_bytes(b"")
    config = write_config(tmp_path)
    assert init(config) == 0
    assert [row["features"] for row in rows(tmp_path / "session")] == ["ready", "failed"]
    save_picture(tmp_path / "images/1.png")
    assert init(config) == 0
    repaired = rows(tmp_path / "session")[1]
    assert (repaired["features"], repaired["failure"], repaired["width"]) == ("ready", None, 24)


def test_main__says_so_when_no_image_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_images(tmp_path, 1)
    (tmp_path / "images/0.png").write_bytes(b"")
    config = write_config(tmp_path)
    assert init(config) == 2
    said = capsys.readouterr()
    assert "found 1 image, and none that can be used" in said.err
    assert "no image can be used" in said.out
    assert "fewclick up" not in said.out
    save_picture(tmp_path / "images/0.png")
    assert init(config) == 0


def test_main__image_that_vanishes_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_images(tmp_path, 3)

    def vanishing(path: Path, **options: Any) -> object:
        if path.name == "1.png":
            path.unlink(missing_ok=True)
        return read_image(path, **options)

    monkeypatch.setattr(compute, "read_image", vanishing)
    assert init(write_config(tmp_path)) == 0
    assert [row["features"] for row in rows(tmp_path / "session")] == ["ready", "failed", "ready"]
