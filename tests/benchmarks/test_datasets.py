from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.datasets import find_datasets


def test_find_datasets__both_layouts(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / "seg" / "cells" / part).mkdir(parents=True)
    Image.new("RGB", (6, 4)).save(tmp_path / "seg" / "cells" / "images" / "a.jpg")
    mask = np.zeros((4, 6), dtype=np.uint8)
    mask[1, 2] = 255
    Image.fromarray(mask).save(tmp_path / "seg" / "cells" / "masks" / "a.png")
    for name in ("b", "a"):
        (tmp_path / "cls" / "letters" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "cls" / "letters" / name / "0.png")
        (tmp_path / "cls" / "letters" / name / "notes.txt").write_text("no image")

    cells, letters = find_datasets(tmp_path)
    assert (cells.name, cells.task, cells.image_names()) == ("cells", "segmentation", ["a.jpg"])
    assert np.argwhere(cells.truth_mask("a.jpg")).tolist() == [[1, 2]]
    assert letters.class_names == ("a", "b")
    assert letters.image_names() == ["a/0.png", "b/0.png"]
    assert letters.truth_class("b/0.png") == "b"
    assert letters.target is None


def test_find_datasets__absent_folder(tmp_path: Path) -> None:
    assert find_datasets(tmp_path / "nowhere") == []
