"""The command from end to end: real files, real SQLite, real processes; a fake extractor where pixels do not matter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from db.database import Database
from db.enums import Origin
from db.queries.annotations import NewPoint, replace_points
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.learning import Run
from db.tables.processes import Worker
from db.tables.session import LabelClass, SessionInfo
from initialization import compute, workflow
from initialization.create import exclusive
from initialization.report import format_bytes
from models.base import ExtractorInfo, FeatureExtractor, Features
from models.extractor_settings import ExtractorSettings
from models.feature_store import FeatureStore
from models.geometry import make_grid
from models.images import read_image
from tests.initialization.fakes import (
    FakeExtractor,
    annotations,
    feature_files,
    init,
    load_fake,
    rows,
    save_picture,
    write_config,
    write_json,
)
from tests.initialization.killable import run_and_kill, run_init

ROOT = Path(__file__).resolve().parents[2]


def make_images(folder: Path, count: int = 5) -> None:
    for number in range(count):
        save_picture(folder / f"images/{number}.png")


def annotate(session_dir: Path, image_id: int = 1) -> None:
    """What a person does on the page."""
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        replace_points(db_session, db_session.get_one(Image, image_id), [NewPoint(3.5, 4.5, 1)])
    database.close()


def make_session(tmp_path: Path, count: int = 3, **changes: object) -> tuple[Path, Path]:
    """A config and its finished session."""
    make_images(tmp_path, count)
    config = write_config(tmp_path, **changes)
    assert init(config, "--yes") == 0
    return config, tmp_path / "session"


# --- the plain run ----------------------------------------------------------------------------------------------------


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


# --- every kind of image file -----------------------------------------------------------------------------------------


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


# --- kill and resume --------------------------------------------------------------------------------------------------


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


class Stopping:
    """Ctrl+C while the features of the `after`-th image are made."""

    def __init__(self, inner: FakeExtractor, after: int) -> None:
        self._inner = inner
        self._after = after

    @property
    def info(self) -> ExtractorInfo:
        return self._inner.info

    @property
    def batch_size(self) -> int:
        return 1

    def extract(self, images: list[np.ndarray], *, patches: bool = True, pooled: bool = True) -> list[object]:
        if self._inner.extracted >= self._after + 4:  # four go into the estimate
            raise KeyboardInterrupt
        return list(self._inner.extract(images, patches=patches, pooled=pooled))


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


# --- a session that exists --------------------------------------------------------------------------------------------


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


# --- bad input: one clear line, nothing written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"imagedir": "x"}, "did you mean 'image_dir'?"),
        ({"image_dir": "nowhere"}, "nowhere"),
        ({"classes": []}, "at least one class"),
        ({"classes": [{"name": "a", "color": "nocolor"}]}, "'nocolor'"),
        ({"formats": "gif"}, "no images ending in gif"),
        ({"session_dir": "config.yaml/session"}, "is a file"),
    ],
)
def test_main__bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], part: str
) -> None:
    make_images(tmp_path, 1)
    before = sorted(tmp_path.rglob("*"))
    config = write_config(tmp_path, **changes)
    assert init(config) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert part in error
    assert sorted(tmp_path.rglob("*")) == sorted([*before, config])


def test_main__missing_weights_are_found_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path, 1)
    config = write_config(tmp_path, weights_path="weights/dinov3_vits16.pth")
    from initialization.init_session import main

    assert main(["--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for part in (str(tmp_path / "weights/dinov3_vits16.pth"), "https://ai.meta.com/dinov3/", "`weights_path: null`"):
        assert part in error
    assert not (tmp_path / "session").exists()


def test_main__folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        target = "/proc/fewclick/session"  # root may write anywhere but there
    else:
        (tmp_path / "locked").mkdir(mode=0o555)
        target = str(tmp_path / "locked/session")
    make_images(tmp_path, 1)
    assert init(write_config(tmp_path, session_dir=target)) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert error.count("\n") == 1


class FullDisk(FakeExtractor):
    """Works for the estimate, then meets a full disk."""

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        if self.extracted >= 4 + 2:
            raise OSError(28, "No space left on device", "session/features/x.npy")
        return super().extract(images, patches=patches, pooled=pooled)


def test_main__full_disk_is_one_line_and_the_rest_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_images(tmp_path, 5)
    config = write_config(tmp_path)
    assert init(config, load=lambda *_: FullDisk()) == 1
    error = capsys.readouterr().err
    assert "no space left on the disk" in error
    assert error.count("\n") == 1
    assert init(config) == 0
    assert {row["features"] for row in rows(tmp_path / "session")} == {"ready"}


def test_main__features_that_cannot_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path, 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 100, 0))
    assert init(write_config(tmp_path)) == 2
    assert "the features need about" in capsys.readouterr().err
    assert not (tmp_path / "session").exists()


def test_main__asks_only_where_somebody_can_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path, 2)
    config = write_config(tmp_path)
    monkeypatch.setattr(workflow.Report, "can_ask", True)
    monkeypatch.setattr(workflow.Report, "ask", lambda _self, _question: False)
    assert init(config) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "session").exists()
    assert init(config, "--yes") == 0
    assert len(rows(tmp_path / "session")) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["--config"], ["--config", "x", "--max-files", "0"], ["--config", "x", "--append", "--move-aside"]],
)
def test_main__wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from initialization.init_session import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("place", ["root", "inside"])
def test_script__runs_from_both_places(tmp_path: Path, place: str) -> None:
    config = write_config(tmp_path, imagedir="x")
    script, folder = (
        ("initialization/init_session.py", ROOT) if place == "root" else ("init_session.py", ROOT / "initialization")
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if place == "inside":
        environment["PYTHONPATH"] = ".."
    done = subprocess.run(
        [sys.executable, script, "--config", config], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean 'image_dir'?" in done.stderr


def load_nothing(*_: object) -> FeatureExtractor:
    raise AssertionError("the extractor is loaded although the config is wrong")


def test_main__config_is_checked_before_the_extractor_is_loaded(tmp_path: Path) -> None:
    loader: Callable[..., FeatureExtractor] = load_nothing
    assert init(write_config(tmp_path, task="x"), load=loader) == 2
    assert load_fake(ExtractorSettings()).info.name == "fake"
    assert Origin.IMPORTED.value == "imported"
