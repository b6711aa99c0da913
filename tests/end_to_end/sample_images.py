"""Pictures that ship inside scikit-image, cut into small folders of images."""

from __future__ import annotations

from pathlib import Path

import skimage
from PIL import Image

TILE = (192, 160)
"""Width and height: not square, so that a mix-up of the axes shows."""


def write_tissue_tiles(folder: Path, count: int = 6) -> None:
    """Tiles of a stained tissue section."""
    folder.mkdir(parents=True)
    _write_tiles("ihc", folder, "tissue", count)


def write_texture_tiles(folder: Path, per_class: int = 6) -> None:
    """Tiles of brick, grass and gravel in one folder, in turns when sorted; see `texture_of`."""
    folder.mkdir(parents=True)
    for name in ("brick", "grass", "gravel"):
        _write_tiles(name, folder, name, per_class)


def write_scene_tiles(folder: Path, per_texture: int = 8) -> None:
    """Tiles of brick, grass and gravel, every second one dark; see `classes_of`."""
    write_texture_tiles(folder, per_texture)
    for path in sorted(folder.iterdir()):
        if int(path.stem.split("_")[0]) % 2:
            with Image.open(path) as opened:
                dark = opened.convert("RGB").point(lambda value: value // 4)
            dark.save(path)


def classes_of(path: str) -> list[str]:
    """Names of the classes of an image of `write_scene_tiles`: gravel is none of the materials that are asked for."""
    number, texture = Path(path).stem.split("_")
    return [texture] * (texture != "gravel") + ["dark"] * (int(number) % 2)


def texture_of(path: str) -> str:
    """Which texture an image of `write_texture_tiles` shows."""
    return Path(path).stem.split("_")[1]


def _write_tiles(picture_name: str, folder: Path, name: str, count: int) -> None:
    # As a file of the package: skimage.data might ask the network for a newer copy.
    with Image.open(Path(skimage.__file__).parent / "data" / f"{picture_name}.png") as opened:
        picture = opened.convert("RGB")
    width, height = TILE
    corners = [
        (left, top)
        for top in range(0, picture.height - height + 1, height)
        for left in range(0, picture.width - width + 1, width)
    ]
    for index, (left, top) in enumerate(corners[:count]):
        picture.crop((left, top, left + width, top + height)).save(folder / f"{index}_{name}.png")
