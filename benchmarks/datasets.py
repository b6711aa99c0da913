"""The sets with ground truth that the robot works on: images, truth and the least the product must reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from benchmarks.annotator import Mask

TaskName = Literal["segmentation", "classification"]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
TARGETS = {
    "dsb2018_nuclei": 0.60,
    "cwfid_vegetation": 0.65,
    "uhcs_spheroidite": 0.80,
    "camvid_car": 0.40,
    "clothing10": 0.64,
    "trashnet6": 0.58,
    "neu_steel6": 0.92,
}
"""Least held-out IoU after 8 images x 4 clicks, or accuracy after 5 images a class."""
PALETTE = (
    "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075",
    "#f032e6", "#469990",
)  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """One folder of images with ground truth."""

    name: str
    task: TaskName
    image_dir: Path
    """What the session's `image_dir` is; image names below are relative to it, with forward slashes."""
    class_names: tuple[str, ...]

    def image_names(self) -> list[str]:
        """All images, in order of their names."""
        pattern = "*" if self.task == "segmentation" else "*/*"
        return [
            path.relative_to(self.image_dir).as_posix()
            for path in sorted(self.image_dir.glob(pattern))
            if path.suffix.lower() in IMAGE_SUFFIXES
        ]

    def truth_mask(self, image_name: str) -> Mask:
        """(H, W) foreground of a segmentation image."""
        path = self.image_dir.parent / "masks" / f"{Path(image_name).stem}.png"
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("L")) > 127

    def truth_class(self, image_name: str) -> str:
        """Class name of a classification image."""
        return image_name.split("/", 1)[0]

    @property
    def target(self) -> float | None:
        """Least held-out IoU or accuracy wanted, if one was set."""
        return TARGETS.get(self.name)


def find_datasets(data_dir: Path) -> list[Dataset]:
    """All sets under `data_dir`: seg/NAME/{images,masks}/ and cls/NAME/CLASS/."""
    masks = [
        Dataset(folder.name, "segmentation", folder / "images", ("foreground", "background"))
        for folder in sorted(data_dir.glob("seg/*"))
        if (folder / "images").is_dir() and (folder / "masks").is_dir()
    ]
    classes = [
        Dataset(folder.name, "classification", folder, tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())))
        for folder in sorted(data_dir.glob("cls/*"))
        if folder.is_dir()
    ]
    return masks + classes
