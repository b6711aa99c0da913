"""A short run of the robot through real processes: init, backend, ML service, clicks, scores, report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from benchmarks import robot
from benchmarks.tables import marks

SIDE = 128


def write_discs(folder: Path, count: int) -> None:
    """Red discs on bluish noise, with their masks."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    rows, columns = np.ogrid[:SIDE, : SIDE + 32]
    for index in range(count):
        row, column = rng.integers(40, SIDE - 40, 2)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < 30**2
        pixels = np.where(disc[..., None], (200, 50, 40), (40, 60, 170)) + rng.integers(-15, 15, (*disc.shape, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "images" / f"disc_{index}.png")
        Image.fromarray((disc * 255).astype(np.uint8)).save(folder / "masks" / f"disc_{index}.png")


def write_textures(folder: Path, per_class: int) -> None:
    for name in ("brick", "grass"):
        (folder / name).mkdir(parents=True)
        with Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png") as opened:
            picture = opened.convert("RGB")
        for index in range(per_class):
            left, top = SIDE * (index % 4), SIDE * (index // 4)
            picture.crop((left, top, left + SIDE, top + SIDE)).save(folder / name / f"{index}.png")


@pytest.mark.parametrize("wait", ["poll", "events"])
def test_main__labels_two_small_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str], wait: str) -> None:
    write_discs(tmp_path / "seg" / "discs", 5)
    write_textures(tmp_path / "cls" / "textures", 5)
    out = tmp_path / "benchmarks.md"
    small = ["--images", "2", "--clicks", "2", "--per-class", "2", "--seeds", "2"]
    status = robot.main(["--data", str(tmp_path), *small, "--wait", wait, "--out", str(out)])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    text = out.read_text(encoding="utf-8")
    assert marks("robot")[0] in text
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    final = {row[0]: float(row[1]) for row in rows if row[-1] == "no target"}
    assert final["discs"] > 0.5
    assert final["textures"] > 0.7


def test_main__no_data_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert robot.main(["--data", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err.strip()
    assert "nowhere" in error
    assert "\n" not in error


def test_main__unknown_set_names_those_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_discs(tmp_path / "seg" / "discs", 1)
    assert robot.main(["--data", str(tmp_path), "--sets", "disks"]) == 2
    assert "found: discs" in capsys.readouterr().err
