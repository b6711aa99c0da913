"""How long it will take and how much disk it will need, measured on a few of the images themselves."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from initialization.compute import EXTRACTOR_ERRORS
from initialization.errors import SourceError
from initialization.sources import PlannedImage, Source
from models.base import ExtractorInfo, FeatureExtractor
from models.errors import ImageReadError
from models.feature_forms import FormName, cell_bytes
from models.geometry import make_grid
from models.images import read_image, read_size
from models.preprocessing import preprocessing_of

SAMPLES = 4
ENOUGH_S = 3.0
"""Timing stops once it has taken this long."""
NPY_HEADER_BYTES = 128


@dataclass(frozen=True)
class Estimate:
    """Of the features that are still to be made."""

    images: int
    seconds: float
    disk_bytes: int
    free_bytes: int | None
    grid: tuple[int, int] | None
    """Cells (width, height) of the last image measured; None if only pooled vectors are made."""
    measured: int
    """Images measured; 0 if none of the samples could be read and taken by the extractor."""


def estimate_run(
    source: Source,
    images: Sequence[PlannedImage],
    extractor: FeatureExtractor,
    target: Path | None,
    *,
    form: FormName | None,
) -> Estimate:
    """Measure a few images, evenly spaced through the list, and scale up. Writes to temporary folders only.

    Args:
        target: Where the features will go; None if that is no disk.
        form: Of the patch features; None if only pooled vectors will be made.

    Raises:
        SourceError: the features would not fit on the disk.
    """
    chosen = [images[index * len(images) // SAMPLES] for index in range(min(SAMPLES, len(images)))]
    seconds, sizes, grid = 0.0, [], None
    measured: list[float] = []
    preprocessing = preprocessing_of(extractor.info.options)
    with tempfile.TemporaryDirectory(prefix="fewclick-") as folder:
        for path in source.sample(chosen, Path(folder)):
            started = time.perf_counter()
            try:
                pixels = read_image(path, preprocessing=preprocessing)
                extractor.extract([pixels], patches=form is not None)
            except (ImageReadError, MemoryError, *EXTRACTOR_ERRORS):
                continue  # told, with the reason, when its turn comes
            measured.append(time.perf_counter() - started)
            if form is not None:
                cells = make_grid(pixels.shape[1], pixels.shape[0], extractor.info)
                grid = (cells.width, cells.height)
            sizes.append(feature_bytes(grid, extractor.info, form or FormName.FLOAT16))
            if sum(measured) > ENOUGH_S:
                break
    # The first image also pays for memory and caches.
    timed = measured[1:] or measured
    seconds = sum(timed) / len(timed) * len(images) if timed else 0.0
    disk_bytes = round(sum(sizes) / len(sizes) * len(images)) if sizes else 0
    free_bytes = _check_free(disk_bytes, target)
    return Estimate(len(images), seconds, disk_bytes, free_bytes, grid, len(measured))


def check_disk(
    source: Source, images: Sequence[PlannedImage], info: ExtractorInfo, target: Path | None, *, form: FormName | None
) -> None:
    """Refuse what cannot fit, from the header of one image; takes no time worth the name.

    Raises:
        SourceError: the features would not fit on the disk.
    """
    with tempfile.TemporaryDirectory(prefix="fewclick-") as folder:
        for path in source.sample(images[:1], Path(folder)):
            grid = None
            if form is not None:
                try:
                    cells = make_grid(*read_size(path, preprocessing=preprocessing_of(info.options)), info)
                except ImageReadError:
                    continue  # told, with the reason, when its turn comes
                grid = (cells.width, cells.height)
            _check_free(feature_bytes(grid, info, form or FormName.FLOAT16) * len(images), target)


def _check_free(disk_bytes: int, folder: Path | None) -> int | None:
    """Bytes free on the disk of `folder`; None without one."""
    if folder is None:
        return None
    free_bytes = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.is_dir())).free
    if disk_bytes > free_bytes:
        raise SourceError(
            f"the features need about {disk_bytes / 1e9:.1f} GB, but {folder} has {free_bytes / 1e9:.1f} GB free: "
            "choose a smaller resize, use --max-files, free some space, or set features_dir to another disk"
        )
    return free_bytes


def feature_bytes(grid: tuple[int, int] | None, info: ExtractorInfo, form: FormName) -> int:
    """Size of the files of one image: float32 pooled vector, and patches on `grid` unless None; headers."""
    pooled = info.pooled_dim * 4 + NPY_HEADER_BYTES
    return pooled if grid is None else pooled + grid[0] * grid[1] * cell_bytes(form, info.dim) + NPY_HEADER_BYTES
