"""Masks, COCO files and our own exports become regions of the images that they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from db.database import Database
from db.enums import RegionOrigin
from db.queries.annotations import current_state
from db.queries.regions import with_geometry
from db.tables.images import Image
from initialization.region_files import read_document
from models.region_shapes import compose, shape_of
from models.run_lengths import encode_runs
from tests.initialization.fakes import init, save_picture, write_config

FOREGROUND, BACKGROUND = 1, 2

WIDTH, HEIGHT = 24, 16
CATEGORIES = [{"id": 7, "name": "foreground"}, {"id": 8, "name": "background"}]


def brought(folder: Path, *images: str, **changes: object) -> dict[str, dict[str, Any]]:
    """Run init with foreground and background; states by image path, of annotated images."""
    for name in images:
        save_picture(folder / "images" / name)
    assert init(write_config(folder, labels_dir="labels", **changes)) == 0
    database = Database.of_session(folder / "session")
    try:
        with database.read() as db_session:
            found = db_session.query(Image).filter(Image.revision > 0)
            return {image.path: with_geometry(db_session, current_state(db_session, image)) for image in found}
    finally:
        database.close()


def label_map(state: dict[str, Any]) -> np.ndarray:
    painted = [(shape_of(r["kind"], r["geometry"]), r["class_id"] or 0) for r in state["regions"]]
    return compose(painted, WIDTH, HEIGHT)


def save_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(mask).save(path)


def document(folder: Path, content: object) -> None:
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels/all.json").write_text(json.dumps(content))


def test_import__a_mask_becomes_regions_pixel_by_pixel(tmp_path: Path) -> None:
    mask = np.random.default_rng(3).integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8)
    save_mask(tmp_path / "labels/a.png", mask)
    state = brought(tmp_path, "a.png", "b.png")["a.png"]
    assert {region["origin"] for region in state["regions"]} == {RegionOrigin.IMPORTED}
    assert state["points"] == []
    assert (label_map(state) == np.where(mask == 1, FOREGROUND, BACKGROUND)).all()


def test_import__a_mask_is_cropped_like_its_image(tmp_path: Path) -> None:
    PillowImage.new("RGB", (WIDTH + 4, HEIGHT + 3)).save(save_picture(tmp_path / "images/a.png"))
    mask = np.random.default_rng(4).integers(0, 2, (HEIGHT + 3, WIDTH + 4)).astype(np.uint8)
    save_mask(tmp_path / "labels/a.png", mask)
    state = brought(tmp_path, preprocessing={"crop": {"left": 4, "top": 1, "bottom": 2}})["a.png"]
    assert (label_map(state) == np.where(mask[1:-2, 4:] == 1, FOREGROUND, BACKGROUND)).all()


def test_import__coco(tmp_path: Path) -> None:
    disc = np.zeros((HEIGHT, WIDTH), dtype=bool)
    disc[3:9, 2:7] = True
    runs = [2 * HEIGHT + 3, *[6, 10] * 4, 6, 7 + 17 * HEIGHT]
    assert sum(runs) == WIDTH * HEIGHT
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 7, "segmentation": {"size": [16, 24], "counts": encode_runs(disc)}},
        {"id": 2, "image_id": 1, "category_id": 8, "segmentation": [[10, 0, 14, 0, 14, 4, 10, 4]]},
        {"id": 3, "image_id": 1, "category_id": 8, "segmentation": [], "bbox": [20, 10, 3, 4]},
        {"id": 4, "image_id": 1, "category_id": 7, "segmentation": {"size": [16, 24], "counts": runs}},
        {"id": 5, "image_id": 1, "category_id": 99, "segmentation": []},
        {"id": 6, "image_id": 1, "category_id": 7, "segmentation": [["x"]]},
        {"id": 7, "image_id": 2, "category_id": 7, "segmentation": []},
    ]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}]
    document(tmp_path, {"images": images, "annotations": annotations, "categories": CATEGORIES})
    found = label_map(brought(tmp_path, "a.png")["a.png"])
    expected = np.where(disc, FOREGROUND, 0)
    expected[0:4, 10:14] = expected[10:14, 20:23] = BACKGROUND
    assert (found == expected).all()


def test_import__an_export_of_ours_comes_back_whole(tmp_path: Path) -> None:
    regions = [
        {"kind": "stroke", "class_id": 5, "geometry": {"points": [[3.0, 3.0], [9.5, 4.0]], "radius": 2.0}},
        {"kind": "polygon", "class_id": 6, "geometry": {"rings": [[[1.0, 9.0], [9.0, 9.0], [4.0, 15.0]]]}},
        {"kind": "box", "class_id": None, "geometry": {"x0": 0.0, "y0": 0.0, "x1": 5.0, "y1": 5.0}},
        {"kind": "box", "class_id": 9, "geometry": {"x0": 0.0, "y0": 0.0, "x1": 5.0, "y1": 5.0}},
        {"kind": "box", "class_id": 5, "geometry": {"x0": 90.0, "y0": 0.0, "x1": 95.0, "y1": 5.0}},
    ]
    points = [{"x": 1.5, "y": 1.5, "class_id": 6}]
    gone = {"id": 9, "name": "x", "removed": True}
    classes = [{"id": 5, "name": "foreground"}, {"id": 6, "name": "background"}, gone]
    image = {"path": "sub/a.png", "regions": regions, "points": points}
    document(tmp_path, {"format": "fewclick", "version": 1, "classes": classes, "images": [image]})
    state = brought(tmp_path, "sub/a.png")["sub/a.png"]
    names = {5: FOREGROUND, 6: BACKGROUND, None: None}
    assert (
        [(r["kind"], r["class_id"], r["geometry"]) for r in state["regions"]]
        == [
            (r["kind"], names[r["class_id"]], r["geometry"])  # type: ignore[index]
            for r in regions[:3]
        ]
    )
    assert [(p["x"], p["class_id"], p["origin"]) for p in state["points"]] == [(1.5, BACKGROUND, "imported")]


@pytest.mark.parametrize(
    "content",
    [
        {"images": [1, {}, {"file_name": []}], "annotations": [{"image_id": []}, 3], "categories": [{"id": {}}]},
        {"images": [{"id": 1, "file_name": "a.png"}], "annotations": {"a": 1}, "categories": None},
        {"format": "fewclick", "images": [{"path": "a.png", "regions": [{"geometry": 3}], "points": [{}]}]},
    ],
)
def test_read_document__what_makes_no_sense_stops_nothing(content: Any) -> None:
    assert all(not image.points for image in read_document(content))
