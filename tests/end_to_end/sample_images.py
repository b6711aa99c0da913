"""Pictures that ship inside scikit-image, cut into small folders of images."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from skimage import data

TILE = (192, 160)
"""Width and height: not square, so that a mix-up of the axes shows."""


def write_tissue_tiles(folder: Path, count: int = 6) -> None:
    """Tiles of a stained tissue section."""
    folder.mkdir(parents=True)
    _write_tiles(data.immunohistochemistry(), folder, "tissue", count)


def write_texture_tiles(folder: Path, per_class: int = 5) -> None:
    """Tiles of brick, grass and gravel, mixed in one folder."""
    folder.mkdir(parents=True)
    for name in ("brick", "grass", "gravel"):
        _write_tiles(getattr(data, name)(), folder, name, per_class)


def _write_tiles(pixels: object, folder: Path, name: str, count: int) -> None:
    picture = Image.fromarray(pixels).convert("RGB")  # type: ignore[arg-type]
    width, height = TILE
    corners = [
        (left, top)
        for top in range(0, picture.height - height + 1, height)
        for left in range(0, picture.width - width + 1, width)
    ]
    for index, (left, top) in enumerate(corners[:count]):
        picture.crop((left, top, left + width, top + height)).save(folder / f"{name}_{index}.png")
