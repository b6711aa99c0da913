"""Existing labels: every documented layout, and everything that can be wrong with them, told and skipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageFile
from scipy.ndimage import distance_transform_edt

from db.database import Database
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from initialization.label_files import ImageIndex
from initialization.masks import MaskError, default_values, inner_points, mask_points, read_mask
from tests.initialization.fakes import annotations, init, save_picture, write_config

CAT, DOG = 1, 2
FOREGROUND, BACKGROUND = 1, 2


def classify(tmp_path: Path, *images: str, labels_dir: str = "labels") -> dict[str, int]:
    """Run init with two classes; class ids by image path."""
    for name in images:
        save_picture(tmp_path / "images" / name)
    config = write_config(tmp_path, task="classification", classes=["cat", "dog"], labels_dir=labels_dir)
    assert init(config) == 0
    return annotations(tmp_path / "session")


def segment(tmp_path: Path, *images: str, **changes: object) -> dict[str, list[tuple[float, float, int, str]]]:
    """Run init with foreground and background; points by image path."""
    for name in images:
        save_picture(tmp_path / "images" / name)
    assert init(write_config(tmp_path, labels_dir="labels", **changes)) == 0
    return annotations(tmp_path / "session")


def save_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(mask).save(path)


# --- classes ----------------------------------------------------------------------------------------------------------


def test_import__folders_named_like_classes(tmp_path: Path) -> None:
    save_picture(tmp_path / "labels/cat/a.png")
    save_picture(tmp_path / "labels/dog/sub/b.jpg")
    assert classify(tmp_path, "a.png", "sub/b.png", "c.png") == {"a.png": CAT, "sub/b.png": DOG}


def test_import__image_folder_sorted_into_classes(tmp_path: Path) -> None:
    found = classify(tmp_path, "cat/1.png", "dog/1.png", "bird/1.png", labels_dir="images")
    assert found == {"cat/1.png": CAT, "dog/1.png": DOG}


def test_import__csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/labels.csv").write_text(
        "Path,Class\na.png,cat\nsub/b.png, dog \n./c,cat\nmissing.png,cat\nd.png,bird\ne.png\nf.png,cat\nf.png,dog\n"
    )
    names = ("a.png", "sub/b.png", "c.png", "d.png", "e.png", "f.png")
    found = classify(tmp_path, *names)
    assert found == {"a.png": CAT, "sub/b.png": DOG, "c.png": CAT, "f.png": CAT}
    output = capsys.readouterr().out
    for part in (
        "1 labels belong to no image",
        "class 'bird' is not in the session: 1 label not used (classes: cat, dog)",
        "labels.csv, line 7: expected 2 values",
        "f.png has two labels, 'cat' and 'dog'",
    ):
        assert part in output


def test_import__csv_of_all_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/labels.csv").write_text(
        "image_id,path,class_id,class,origin,status\n1,a.png,,,,unlabeled\n2,b.png,2,dog,human,labeled\n"
        "3,c.png,,,,skipped\n"
    )
    assert classify(tmp_path, "a.png", "b.png", "c.png") == {"b.png": DOG}
    assert "not in the session" not in capsys.readouterr().out


def test_import__csv_without_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/labels.csv").write_text("a,b\n1,2\n")
    assert classify(tmp_path, "a.png") == {}
    assert "labels.csv: no column 'path', found a, b" in capsys.readouterr().out


def test_import__one_file_for_each_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("cat\n")
    (tmp_path / "labels/b.json").write_text('{"label": "dog"}')
    (tmp_path / "labels/c.json").write_text("{broken")
    (tmp_path / "labels/d.txt").write_text("")
    (tmp_path / "labels/x.txt").write_text("cat")
    assert classify(tmp_path, "a.png", "b.png", "c.png", "d.png") == {"a.png": CAT, "b.png": DOG}
    output = capsys.readouterr().out
    for part in ("c.json: not valid JSON", "d.txt: names no class", "1 labels belong to no image"):
        assert part in output


def test_import__unreadable_image_gets_no_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/bad.png").write_text("x")
    (tmp_path / "labels.csv").write_text("path,class\nbad.png,cat\na.png,dog\n")
    assert classify(tmp_path, "a.png", labels_dir="labels.csv") == {"a.png": DOG}
    assert "labels of 1 unreadable images are not used" in capsys.readouterr().out


def test_import__is_one_undoable_step_and_never_repeated(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,class\na.png,dog\n")
    assert classify(tmp_path, "a.png", labels_dir="labels.csv") == {"a.png": DOG}
    assert classify(tmp_path, labels_dir="labels.csv") == {"a.png": DOG}
    (tmp_path / "labels.csv").write_text("path,class\na.png,cat\n")
    assert classify(tmp_path, labels_dir="labels.csv") == {"a.png": DOG}, "what is annotated is left alone"
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        image = db_session.get_one(Image, 1)
        assert (image.revision, image.status, image.split is not None) == (1, "labeled", True)
        (state,) = db_session.query(AnnotationState).all()
        assert state.state["label"] == {"class_id": DOG, "origin": "imported"}
    database.close()


def test_find__by_path_then_by_a_name_that_only_one_image_bears() -> None:
    index = ImageIndex(["a/x.png", "b/x.png", "b/y.jpg"])
    assert index.find("a/x.png") == "a/x.png"
    assert index.find("b/x.json") == "b/x.png"
    assert index.find("b\\y.png") == "b/y.jpg"
    assert index.find("masks/b/y.jpg.png") == "b/y.jpg"
    assert index.find("elsewhere/y.txt") == "b/y.jpg"
    assert index.find("x.png") is None, "two images bear this name"
    assert index.find("z.png") is None


# --- points and masks -------------------------------------------------------------------------------------------------


def test_import__point_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/points.csv").write_text(
        "path,x,y,class\na.png,3.5,4.25,foreground\na.png,0,16,background\na.png,25,3,foreground\n"
        "a.png,one,3,foreground\na.png,1,1,cell\nmissing.png,1,1,foreground\n"
    )
    found = segment(tmp_path, "a.png", "b.png")
    assert found == {"a.png": [(3.5, 4.25, FOREGROUND, "imported"), (0, 16, BACKGROUND, "imported")]}
    output = capsys.readouterr().out
    for part in (
        "a.png: 1 point outside its 24 x 16 pixels",
        "points.csv, line 5: x and y are 'one' and '3', expected numbers",
        "class 'cell' is not in the session",
        "1 labels belong to no image",
    ):
        assert part in output


def test_import__point_json(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    points = [{"x": 1.5, "y": 2.5, "class": "background"}, {"x": 1}]
    (tmp_path / "labels/a.json").write_text(json.dumps({"points": points}))
    assert segment(tmp_path, "a.png") == {"a.png": [(1.5, 2.5, BACKGROUND, "imported")]}


@pytest.mark.parametrize("value", [1, 255])
def test_import__mask_of_zero_and_one_value(tmp_path: Path, value: int) -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[4:12, 2:10] = value
    save_mask(tmp_path / "labels/a.png", mask)
    points = segment(tmp_path, "a.png", import_masks="points")["a.png"]
    assert {class_id for *_, class_id, _ in points} == {FOREGROUND, BACKGROUND}
    assert len(points) == 10
    for x, y, class_id, _ in points:
        assert (mask[int(y), int(x)] == value) == (class_id == FOREGROUND)


def test_import__masks_that_do_not_fit_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_mask(tmp_path / "labels/a.png", np.ones((8, 8), np.uint8))
    save_mask(tmp_path / "labels/b.png", np.full((16, 24), 77, np.uint8))
    (tmp_path / "labels/c.png").write_bytes(b"")
    assert segment(tmp_path, "a.png", "b.png", "c.png") == {}
    output = capsys.readouterr().out
    for part in (
        "mask a.png of a.png has 8 x 8 pixels, the upright image 24 x 16",
        "mask b.png of b.png holds no known class, found the values 77",
        "mask c.png of c.png cannot be read",
    ):
        assert part in output


def test_import__values_file_says_what_values_mean(tmp_path: Path) -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[:, 12:] = 77
    save_mask(tmp_path / "labels/a.png", mask)
    (tmp_path / "labels/values.json").write_text('{"77": "background", "0": "foreground"}')
    points = segment(tmp_path, "a.png", import_masks="points")["a.png"]
    assert all((x >= 12) == (class_id == BACKGROUND) for x, _, class_id, _ in points)


def test_import__masks_of_an_export(tmp_path: Path) -> None:
    mask = np.full((16, 24), 255, np.uint8)
    mask[:, :8], mask[:, 16:] = 0, 1
    save_mask(tmp_path / "labels/masks/sub/a.png.png", mask)
    legend = {"classes": [{"value": 0, "id": 1, "name": "foreground"}, {"value": 1, "id": 2, "name": "background"}]}
    (tmp_path / "labels/classes.json").write_text(json.dumps(legend | {"unknown_value": 255, "masks": {}}))
    points = segment(tmp_path, "sub/a.png", import_masks="points")["sub/a.png"]
    assert len(points) == 10
    assert all(x < 8 if class_id == FOREGROUND else x > 16 for x, _, class_id, _ in points)


@pytest.mark.parametrize("text", ["{", "[1]", '{"greenish": "foreground"}', '{"1": 2}'])
def test_import__wrong_values_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    save_mask(tmp_path / "labels/a.png", np.ones((16, 24), np.uint8))
    (tmp_path / "labels/values.json").write_text(text)
    save_picture(tmp_path / "images/a.png")
    assert init(write_config(tmp_path, labels_dir="labels")) == 2
    error = capsys.readouterr().err
    assert "values.json" in error
    assert error.count("\n") == 1


def test_default_values__rules() -> None:
    two = default_values([("foreground", "#00FF00"), ("background", "#FF0000")])
    assert two.by_index == {0: "background", 1: "foreground", 255: "foreground"}
    many = default_values([("road", "#000001"), ("Background", "#000002"), ("car", "#000003")])
    assert many.by_index == {0: "Background", 1: "road", 2: "car"}
    none = default_values([("road", "#000001"), ("car", "#000003")])
    assert none.by_index == {1: "road", 2: "car"}
    assert none.by_color == {(0, 0, 1): "road", (0, 0, 3): "car"}


def test_mask_points__color_and_palette_masks(tmp_path: Path) -> None:
    values = default_values([("road", "#800000"), ("car", "#008000")])
    rgb = np.zeros((10, 10, 3), np.uint8)
    rgb[:, :5] = (128, 0, 0)
    rgb[:, 5:] = (0, 128, 0)
    save_mask(tmp_path / "rgb.png", rgb)
    palette = PillowImage.fromarray(np.repeat([1, 2], 5)[None].repeat(10, axis=0).astype(np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 9, 9, 9, 80, 80, 80])
    palette.save(tmp_path / "palette.png")
    for name in ("rgb.png", "palette.png"):
        points = mask_points(read_mask(tmp_path / name, (10, 10)), values)
        assert all(x < 5 for x, _ in points["road"])
        assert all(x > 5 for x, _ in points["car"])


def test_mask_points__grey_mask_saved_as_color() -> None:
    values = default_values([("foreground", "#00FF00"), ("background", "#FF0000")])
    mask = np.zeros((6, 6, 3), np.int32)
    mask[2:5, 2:5] = 255
    assert mask_points(mask, values, count=1)["foreground"] == [(3.5, 3.5)]


def test_read_mask__of_another_size_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PillowImage.new("1", (4000, 4000)).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(MaskError, match="has 4000 x 4000 pixels, the upright image 40 x 40"):
        read_mask(tmp_path / "a.png", (40, 40))


@pytest.mark.parametrize(("mode", "dtype"), [("1", "uint8"), ("L", "uint8"), ("P", "uint8"), ("I;16", "uint16")])
def test_read_mask__takes_no_more_memory_than_the_mask(tmp_path: Path, mode: str, dtype: str) -> None:
    PillowImage.new(mode, (6, 4), 1).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png", (6, 4))
    assert mask.dtype == dtype
    assert set(np.unique(mask)) == {1}


def test_read_mask__no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n")
    with pytest.raises(MaskError, match="none of JPEG, PNG"):
        read_mask(tmp_path / "a.png", (4, 4))


def test_read_mask__refuses_what_has_no_plain_values(tmp_path: Path) -> None:
    PillowImage.new("CMYK", (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(MaskError, match="is of mode CMYK"):
        read_mask(tmp_path / "a.tif", (4, 4))


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_inner_points__inside_different_and_the_first_deepest(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    region = random.random((random.integers(1, 20), random.integers(1, 20))) < random.random()
    points = inner_points(region, count)
    assert points == inner_points(region, count)
    assert len(set(points)) == len(points) == min(count, int(region.sum()))
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    for x, y in points:
        assert region[int(y), int(x)]
    if points:
        x, y = points[0]
        assert depth[int(y), int(x)] == pytest.approx(depth.max(), abs=1e-3)
