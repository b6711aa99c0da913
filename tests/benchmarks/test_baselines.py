from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import baselines
from benchmarks.annotator import Click


def write_disc(path: Path, centre: tuple[int, int]) -> np.ndarray:
    rows, columns = np.ogrid[:64, :96]
    truth = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < 14**2
    pixels = np.where(truth[..., None], (220, 40, 40), (30, 60, 200)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return np.asarray(truth)


def test_segmentation_forest_iou__colour_is_enough_for_a_coloured_disc(tmp_path: Path) -> None:
    truth = write_disc(tmp_path / "a.png", (30, 30))
    other = write_disc(tmp_path / "b.png", (32, 60))
    clicks = [
        (tmp_path / "a.png", truth, Click(x, y, bool(truth[int(y), int(x)])))
        for x, y in [(30.5, 30.5), (26.5, 34.5), (80.5, 10.5), (70.5, 50.5)]
    ]
    assert baselines.segmentation_forest_iou(clicks, [(tmp_path / "b.png", other)], seed=0) > 0.6


def test_segmentation_forest_iou__background_clicks_only_give_no_foreground(tmp_path: Path) -> None:
    truth = write_disc(tmp_path / "a.png", (30, 30))
    clicks = [(tmp_path / "a.png", truth, Click(80.5, 10.5, foreground=False))]
    assert baselines.segmentation_forest_iou(clicks, [(tmp_path / "a.png", truth)], seed=0) == 0


def test_classification_forest_accuracy__red_and_blue(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = []
    for index in range(6):
        name = "red" if index % 2 else "blue"
        base = (200, 30, 30) if name == "red" else (30, 30, 200)
        pixels = np.clip(np.array(base) + rng.integers(-20, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
        path = tmp_path / f"{index}.png"
        Image.fromarray(pixels).save(path)
        images.append((path, name))
    assert baselines.classification_forest_accuracy(images[:4], images[4:], seed=0) == 1.0


def test_majority__shares() -> None:
    assert baselines.majority_class_share(["a", "b", "a", "c"]) == 0.5
    truths = [np.array([[True, False, False, False]])]
    assert baselines.all_foreground_iou(truths) == pytest.approx(0.25)
    assert baselines.majority_pixel_share(truths) == pytest.approx(0.75)
