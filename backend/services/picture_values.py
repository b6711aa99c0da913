"""What a picture is shown from when it is not shown as it is: its values, whole or as a pyramid of halved levels.

Small pictures stay in memory for a while. Large ones lie under session/cache/pyramids/, one folder each: 0.npy holds
every value, each further level the means of 2 x 2 of the one before. A folder is complete or not there, its name tells
the file's content, size and time, and it may be deleted at any moment: it is made again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from backend.context import AppContext
from backend.services.image_paths import image_path
from db.errors import ConflictError
from db.tables.images import Image
from models.geometry import halved
from models.images import read_bands, read_image
from models.rendering import display_range

TILED_FROM_PX = 4_096
"""Pictures with a longer side than this are shown in tiles, and have a pyramid."""
COARSEST_PX = 512
SPARE_DISK_BYTES = 512 * 1024 * 1024
"""What a pyramid leaves free for labels and features."""
ABANDONED_AFTER_S = 3_600.0
DEAD = ".dead-"
"""How the name of a folder begins that is being deleted: nobody opens it any more, however far that came."""
ATTEMPTS = 3
MOST_SAMPLES = 1_000_000
PLAIN_RANGE = (0.0, 255.0)
# What OpenCV averages; other types become float32.
_AVERAGED = (np.uint8, np.uint16, np.int16, np.float32)


@dataclass(frozen=True)
class PictureValues:
    """The values (H, W, C) with C 1 or 3, and what of them is black and white."""

    levels: tuple[npt.NDArray[Any], ...]
    """Level n has a value for every 2^n x 2^n pixels; at the right and lower edge for what is left of them."""
    ranges: tuple[tuple[float, float], ...]
    """Of each channel, the values that the session's contrast shows as black and white."""

    @property
    def nbytes(self) -> int:
        """In memory; what is mapped from a file counts as well."""
        return sum(level.nbytes for level in self.levels)

    def sample(self) -> npt.NDArray[Any]:
        """Values spread over the whole picture: few enough to sort."""
        return sample(self.levels[0])


def is_tiled(image: Image) -> bool:
    """Whether it is too large to be sent in one piece."""
    return max(image.width or 0, image.height or 0) > TILED_FROM_PX


def open_values(context: AppContext, image: Image, bands: tuple[int, ...] | None, *, rendered: bool) -> PictureValues:
    """From memory, from the pyramid on disk, or else from the file.

    Args:
        bands: To show, counted from 1; None takes those that the session shows.
        rendered: Take the 8-bit picture that features are made from, rather than what was measured.

    Raises:
        NotFoundError: the file is gone.
        ConflictError: it is not the one that was registered, or the disk is too full for a pyramid.
        ImageReadError: it cannot be read any more, or has no such bands.
    """
    path = image_path(context.config.image_root, image.path)
    key = picture_name(context, image, path, "rgb" if rendered else "-".join(map(str, bands or ("values",))))
    folder = context.settings.session_dir / "cache" / "pyramids" / key
    found = context.values.get(key) or _open_pyramid(folder)
    if found is not None:
        return found
    # Decoding takes memory: one picture at a time, and whoever waits for the same one finds it done.
    with context.decoding:
        found = context.values.get(key) or _open_pyramid(folder)
        if found is not None:
            return found
        values = _read(context, image, path, bands, rendered=rendered)
        ranges = ((PLAIN_RANGE,) * values.shape[2]) if rendered else _ranges(context, values, bands)
        if is_tiled(image):
            return _build_pyramid(folder, values, ranges, context.settings.pyramid_cache_bytes)
        found = PictureValues((values,), ranges)
        context.values.put(key, found)
        return found


def picture_name(context: AppContext, image: Image, path: Path, kind: str) -> str:
    """Tells apart whatever can be shown differently, a file that was replaced since it was registered included."""
    status = path.stat()
    parts = [str(image.content_hash)[:32], context.config.preprocessing.key, f"{status.st_size:x}"]
    return ".".join([*parts, f"{status.st_mtime_ns:x}", kind])


def sample(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every n-th row and column (h, w, C)."""
    step = max(1, int(np.ceil(np.sqrt(values.size / MOST_SAMPLES))))
    return np.asarray(values[::step, ::step])


def halve(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Means of 2 x 2 values (H, W, C); an odd last row or column stands for itself."""
    height, width, channels = values.shape
    even = values
    if height % 2 or width % 2:
        even = np.asarray(cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
    columns, rows = halved(width, height)
    return np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)).reshape(rows, columns, channels)


def _read(
    context: AppContext, image: Image, path: Path, bands: tuple[int, ...] | None, *, rendered: bool
) -> npt.NDArray[Any]:
    preprocessing = context.config.preprocessing
    values: npt.NDArray[Any]
    if rendered:
        values = read_image(path, preprocessing=preprocessing)
    else:
        values = read_bands(path, preprocessing=replace(preprocessing, bands=bands) if bands else preprocessing)
        values = values[:, :, : 1 if values.shape[2] < 3 else 3]
    if values.shape[:2] != (image.height, image.width):
        raise ConflictError(
            f"{image.path} has {values.shape[1]} x {values.shape[0]} pixels, {image.width} x {image.height} when "
            "it was registered: put the old file back, or run init with --append"
        )
    kind = values.dtype.newbyteorder("=")
    return np.ascontiguousarray(values, dtype=kind if kind.type in _AVERAGED else np.float32)


def _ranges(
    context: AppContext, values: npt.NDArray[Any], bands: tuple[int, ...] | None
) -> tuple[tuple[float, float], ...]:
    """As the session's rendering has them: bands that were chosen are measurements of their own."""
    contrast = context.config.preprocessing.contrast
    some = sample(values)
    if bands is None and context.config.preprocessing.bands is None:
        one = display_range(some, contrast)
        return tuple(one for _ in range(values.shape[2]))
    ranges = [display_range(some[:, :, channel], contrast) for channel in range(values.shape[2])]
    return tuple(ranges)


def _open_pyramid(folder: Path) -> PictureValues | None:
    """None where there is none, and where one is cut short: a power cut, or a deletion that was killed."""
    try:
        described = json.loads((folder / "pyramid.json").read_bytes())
        os.utime(folder)
        levels = tuple(np.load(folder / f"{n}.npy", mmap_mode="r") for n in range(described["levels"]))
        return PictureValues(levels, tuple((low, high) for low, high in described["ranges"]))
    except (FileNotFoundError, ValueError, EOFError, KeyError, TypeError):
        return None


def _build_pyramid(
    folder: Path, values: npt.NDArray[Any], ranges: tuple[tuple[float, float], ...], cache_bytes: int
) -> PictureValues:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _make_room(folder.parent, values.nbytes * 4 // 3, cache_bytes)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
    try:
        level, count = values, 1
        np.save(temporary / "0.npy", level)
        while max(level.shape[:2]) > COARSEST_PX:
            level = halve(level)
            np.save(temporary / f"{count}.npy", level)
            count += 1
        (temporary / "pyramid.json").write_text(json.dumps({"levels": count, "ranges": ranges}))
        return _put_in_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _put_in_place(temporary: Path, folder: Path) -> PictureValues:
    """A complete pyramid that another process has made meanwhile stays; a broken one goes.

    Raises:
        OSError: neither can be.
    """
    for attempt in range(ATTEMPTS):
        try:
            temporary.rename(folder)
        except OSError:
            if attempt == ATTEMPTS - 1 or not folder.exists():
                raise
        found = _open_pyramid(folder)
        if found is not None:
            shutil.rmtree(temporary, ignore_errors=True)
            return found
        _delete(folder)
    raise FileNotFoundError(f"{folder} was deleted while it was made: open the picture again")


def _delete(folder: Path) -> None:
    """Taken out of the way as a whole first: a deletion that is killed leaves nothing that looks like a pyramid."""
    dead = Path(tempfile.mkdtemp(dir=folder.parent, prefix=DEAD))
    # Another process deletes it as well.
    with suppress(FileNotFoundError):
        folder.rename(dead / "pyramid")
    shutil.rmtree(dead, ignore_errors=True)


def _make_room(home: Path, needed: int, cache_bytes: int) -> None:
    """Remove the pyramids used longest ago until another one fits.

    Raises:
        ConflictError: the disk has no room for it.
    """
    now = time.time()
    used = _by_last_use(home)
    sizes = {folder: _size_of(folder) for _, folder in used}
    total = sum(sizes.values())
    for used_at, folder in used:
        is_abandoned = folder.name.startswith(DEAD) or (
            folder.name.startswith(".") and now - used_at > ABANDONED_AFTER_S
        )
        is_over = not folder.name.startswith(".") and total + needed > cache_bytes
        if is_abandoned or is_over or shutil.disk_usage(home).free < needed + SPARE_DISK_BYTES:
            _delete(folder)
            total -= sizes[folder]
    free = shutil.disk_usage(home).free
    if free < needed + SPARE_DISK_BYTES:
        raise ConflictError(
            f"showing this picture in full detail takes {needed // 1_000_000} MB on disk, "
            f"{free // 1_000_000} MB are free: free some space"
        )


def _by_last_use(home: Path) -> list[tuple[float, Path]]:
    found = []
    for folder in home.iterdir():
        # Another process may delete what was listed.
        with suppress(FileNotFoundError):
            if folder.is_dir():
                found.append((folder.stat().st_mtime, folder))
    return sorted(found)


def _size_of(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size
