"""What people have on their disks, through the real command: kinds of sources, kinds of pictures, preprocessing."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from db.database import Database
from db.tables.session import SessionInfo
from fewclick import cli
from initialization.init_session import main
from models.base import ExtractorInfo
from models.feature_store import FeatureStore
from models.geometry import make_grid
from models.images import read_image
from models.preprocessing import Crop, Preprocessing, ValueRange, preprocessing_of
from tests.initialization.fakes import annotations, init, rows, save_picture, write_config, write_json
from tests.initialization.web_server import WebServer

RNG = np.random.default_rng(0)
BANDS = RNG.integers(0, 4000, (16, 24, 5)).astype(np.uint16)


def info_of(session_dir: Path) -> ExtractorInfo:
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        info = ExtractorInfo.from_json(db_session.get_one(SessionInfo, 1).extractor)
    database.close()
    return info


def make_pictures(folder: Path) -> dict[str, Any]:
    """One file of each kind; what the preprocessing has to choose is None where any will do."""
    folder.mkdir()
    grey = RNG.integers(0, 256, (16, 24), dtype=np.uint8)
    color = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    for suffix in ("jpg", "png", "tif", "webp", "bmp"):
        PillowImage.fromarray(color).save(folder / f"color.{suffix}")
    PillowImage.fromarray(grey).save(folder / "grey.png")
    PillowImage.fromarray(color).quantize(16).save(folder / "palette.png")
    cv2.imwrite(str(folder / "deep.png"), color.astype(np.uint16) * 200)
    PillowImage.fromarray(grey.astype(np.uint16) * 200).save(folder / "deep_grey.png")
    for dtype in ("uint16", "int16", "uint32", "int32", "float32", "float64"):
        tifffile.imwrite(folder / f"{dtype}.tif", grey.astype(dtype) * 7)
    tifffile.imwrite(folder / "float_color.tif", color.astype(np.float32) / 255, photometric="rgb")
    tifffile.imwrite(folder / "pages.tif", np.stack([grey, 255 - grey]))
    return {path.name: None for path in folder.iterdir()}


def test_init__every_kind_of_picture(tmp_path: Path) -> None:
    names = make_pictures(tmp_path / "images")
    assert init(write_config(tmp_path), "--yes") == 0
    found = rows(tmp_path / "session")
    assert {row["path"] for row in found} == set(names)
    assert [(row["path"], row["failure"]) for row in found if row["features"] != "ready"] == []
    assert {(row["width"], row["height"]) for row in found} == {(24, 16)}


def test_init__embedded_extractor_takes_deep_values_and_bands(tmp_path: Path) -> None:
    """With the real network: one session of five-band pictures, other ones left out with their reason."""
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images/contig.tif", BANDS, planarconfig="contig", photometric="minisblack")
    planar = np.moveaxis(BANDS, -1, 0)
    tifffile.imwrite(tmp_path / "images/planar.tif", planar, planarconfig="separate", photometric="minisblack")
    tifffile.imwrite(tmp_path / "images/float.tif", planar.astype(np.float32))
    PillowImage.fromarray(BANDS[:, :, :3].astype(np.uint8)).save(tmp_path / "images/rgb.png")
    settings = {"bands": [4, 3, 2], "contrast": {"min": 0, "max": 4000}, "crop": {"bottom": 4}}
    config = write_config(tmp_path, preprocessing=settings, resize=64, task="segmentation")
    assert main(["--config", str(config), "--yes"]) == 0
    session_dir = tmp_path / "session"
    info = info_of(session_dir)
    assert preprocessing_of(info.options) == Preprocessing(Crop(bottom=4), (4, 3, 2), ValueRange(0, 4000))
    store = FeatureStore(session_dir, info)
    found = {row["path"]: row for row in rows(session_dir)}
    assert "has 3 bands, preprocessing.bands names band 4" in found["rgb.png"]["failure"]
    grid = make_grid(24, 12, info)
    first = store.read_patches(found["contig.tif"]["content_hash"])
    for name in ("contig.tif", "planar.tif", "float.tif"):
        row = found[name]
        assert (row["features"], row["width"], row["height"]) == ("ready", 24, 12)
        features = store.read_patches(row["content_hash"])
        assert features.shape == (grid.height, grid.width, info.dim)
        np.testing.assert_array_equal(features, first, err_msg="the same values in another layout")


def test_init__five_bands_without_a_choice_fail_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images/a.tif", BANDS, planarconfig="contig", photometric="minisblack")
    save_picture(tmp_path / "images/b.png")
    assert init(write_config(tmp_path), "--yes") == 0
    failed, ready = rows(tmp_path / "session")
    assert "has 5 channels" in failed["failure"]
    assert "preprocessing.bands" in failed["failure"]
    assert ready["features"] == "ready"


@pytest.mark.parametrize("append", [(), ("--append",)])
def test_init__other_preprocessing_on_a_session_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], append: tuple[str, ...]
) -> None:
    save_picture(tmp_path / "images/a.png")
    assert init(write_config(tmp_path, preprocessing={"crop": {"top": 2}}), "--yes") == 0
    before = rows(tmp_path / "session")
    assert init(write_config(tmp_path), *append) == 2
    error = capsys.readouterr().err
    for part in ('made with preprocessing {"crop": {"top": 2}}', "this config gives {}", "--move-aside"):
        assert part in error
    assert rows(tmp_path / "session") == before
    assert init(write_config(tmp_path, preprocessing={"crop": {"top": 2}}), *append) == 0
    assert init(write_config(tmp_path), "--move-aside") == 0


def test_init__default_preprocessing_leaves_the_identity_as_it_was(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.png")
    assert init(write_config(tmp_path, preprocessing={"contrast": "auto", "page": 1, "crop": {}}), "--yes") == 0
    assert "preprocessing" not in info_of(tmp_path / "session").options
    assert init(write_config(tmp_path)) == 0


@pytest.mark.parametrize("size", [(24, 16), (20, 13)])
def test_init__masks_are_cropped_like_their_images(tmp_path: Path, size: tuple[int, int]) -> None:
    """A mask of the whole picture or of what the crop leaves."""
    PillowImage.new("RGB", (24, 16)).save(save_picture(tmp_path / "images/a.png"))
    (tmp_path / "masks").mkdir()
    mask = np.zeros((16, 24), np.uint8)
    mask[8:11, 10:13] = 255
    left, top = (0, 0) if size == (24, 16) else (4, 1)
    PillowImage.fromarray(mask[top : top + size[1], left : left + size[0]]).save(tmp_path / "masks/a.png")
    crop = {"left": 4, "top": 1, "bottom": 2}
    config = write_config(tmp_path, preprocessing={"crop": crop}, labels_dir="masks", import_masks="points")
    assert init(config, "--yes") == 0
    points = annotations(tmp_path / "session")["a.png"]
    foreground = [(x, y) for x, y, class_id, _ in points if class_id == 1]
    assert (11.5 - 4, 9.5 - 1) in foreground
    assert all(6 <= x <= 9 and 7 <= y <= 10 for x, y in foreground)
    assert all(0 <= x <= 20 and 0 <= y <= 13 for x, y, _, _ in points)


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "pattern", "zip", "json", "csv", "csv of addresses"])
def test_init__every_kind_of_source(tmp_path: Path, kind: str, web_server: WebServer) -> None:
    names = ("a/b.png", "a_b.png", "a/c_d.png", "a_c/d.png")
    for name in names:
        web_server.files[f"/{name}"] = save_picture(tmp_path / "images" / name).read_bytes()
    where = {"folder": "images", "pattern": "images/**/*.png"}.get(kind)
    if kind == "zip":
        where = "all.zip"
        with zipfile.ZipFile(tmp_path / where, "w") as archive:
            for name in names:
                archive.write(tmp_path / "images" / name, name)
    elif kind == "json":
        where = write_json(tmp_path / "images/list.json", [{"url": web_server.url(f"/{name}")} for name in names]).name
        where = f"images/{where}"
    elif kind.startswith("csv"):
        where = "images/list.csv"
        column, base = ("path", "") if kind == "csv" else ("url", web_server.url("/"))
        lines = [f"{column},site", *[f"{base}{name},north" for name in names]]
        (tmp_path / where).write_text("\n".join(lines))
    config = write_config(tmp_path, image_dir=where)
    for arguments in ((), ("--append",)):
        assert init(config, "--yes", *arguments) == 0
        found = rows(tmp_path / "session")
        assert len(found) == len({row["content_hash"] for row in found}) == 4
        assert all(row["features"] == "ready" for row in found)
        if kind.startswith("csv"):
            assert all(row["extra"]["site"] == "north" for row in found)
    assert len(web_server.requests) in (0, 8), "the four of the estimate, then each once"


def test_init__pattern_that_matches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(tmp_path / "images/a.png")
    assert init(write_config(tmp_path, image_dir="images/**/*_rgb.png")) == 2
    assert "images/**/*_rgb.png" in capsys.readouterr().err
    assert init(write_config(tmp_path, image_dir="nowhere/**/*.png")) == 2
    assert "nowhere', which does not exist" in capsys.readouterr().err
    assert init(write_config(tmp_path, image_dir="images/[z-a].png")) == 2
    assert "found the pattern" in capsys.readouterr().err


# --- what people see --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes",
    [
        "  - {name: a, color: #00AA00}\n  - b\n",
        "  - name: a\n    color: #0A0\n",
        "  - {name: '#1', color:   #00AA00 }\n",
    ],
)
def test_init__color_without_quotes_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], classes: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("task: segmentation\nimage_dir: .\n# color: #123456\nclasses:\n" + classes)
    assert init(config) == 2
    error = capsys.readouterr().err
    line = 6 if "\n    color" in classes else 5
    assert f"line {line}: found color: #0" in error
    assert 'write color: "#0' in error


def test_append__one_broken_image_says_nothing_alarming(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(tmp_path / "images/a.png")
    (tmp_path / "images/b.png").write_bytes(b"broken")
    config = write_config(tmp_path)
    assert init(config, "--yes") == 0
    capsys.readouterr()
    assert init(config, "--append") == 0
    output = capsys.readouterr().out
    assert "estimate" not in output
    assert "b.png is not an image" in output.replace("\n", " ")


def test_init__many_broken_images_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    for number in range(6):
        (tmp_path / f"images/{number}.png").write_bytes(b"broken")
    assert init(write_config(tmp_path), "--yes") == 2, "no image can be used"
    assert "no estimate: the 4 images tried cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "stream"), [(["--help"], "out"), ([], "err"), (["--max-files", "x"], "err")])
def test_fewclick_init__usage_names_the_command(
    capsys: pytest.CaptureFixture[str], arguments: list[str], stream: str
) -> None:
    with pytest.raises(SystemExit):
        cli.app(["init", *arguments])
    text = getattr(capsys.readouterr(), stream)
    assert "usage: fewclick init " in text
    assert "init_session.py" not in text


def test_read_image__preprocessing_gives_what_the_session_has(tmp_path: Path) -> None:
    """Width and height of the row are those of the picture that every reader gets."""
    save_picture(tmp_path / "images/a.png", size=(30, 20))
    assert init(write_config(tmp_path, preprocessing={"crop": {"left": 3, "bottom": 5}}), "--yes") == 0
    (row,) = rows(tmp_path / "session")
    preprocessing = preprocessing_of(info_of(tmp_path / "session").options)
    assert read_image(tmp_path / "images/a.png", preprocessing=preprocessing).shape == (15, 27, 3)
    assert (row["width"], row["height"]) == (27, 15)
