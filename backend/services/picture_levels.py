"""The values of a picture in levels, each half the size of the one before; those of large ones lie in folders.

0.npy holds every value, each further level the means of 2 x 2 of the one before. A folder is complete or not there and
may be deleted at any moment: it is made again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from db.errors import ConflictError
from models.geometry import halved

COARSEST_PX = 512
MOST_SAMPLES = 1_000_000
SPARE_DISK_BYTES = 512 * 1024 * 1024
"""What a pyramid leaves free for labels and features."""
ABANDONED_AFTER_S = 3_600.0
DEAD = ".dead-"
"""How the name of a folder begins that is being deleted: nobody opens it any more, however far that came."""
ATTEMPTS = 3


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

    def level_for(self, side: int) -> npt.NDArray[Any]:
        """The coarsest level with at least so many values on its longest side; the finest if none has."""
        return next((level for level in reversed(self.levels) if max(level.shape[:2]) >= side), self.levels[0])

    def sample(self) -> npt.NDArray[Any]:
        """Values spread over the whole picture: few enough to sort."""
        return sample(self.levels[0])


def open_pyramid(folder: Path) -> PictureValues | None:
    """None where there is none, and where one is cut short: a power cut, or a deletion that was killed."""
    try:
        described = json.loads((folder / "pyramid.json").read_bytes())
        os.utime(folder)
        levels = tuple(np.load(folder / f"{n}.npy", mmap_mode="r") for n in range(described["levels"]))
        return PictureValues(levels, tuple((low, high) for low, high in described["ranges"]))
    except (FileNotFoundError, ValueError, EOFError, KeyError, TypeError):
        return None


def build_pyramid(
    folder: Path, values: npt.NDArray[Any], ranges: tuple[tuple[float, float], ...], cache_bytes: int
) -> PictureValues:
    """Write a pyramid of values (H, W, C).

    Args:
        cache_bytes: That all pyramids may take together: those used longest ago go.

    Raises:
        ConflictError: the disk has no room for it.
    """
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


def halve(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Means of 2 x 2 values (H, W, C); an odd last row or column stands for itself."""
    height, width, channels = values.shape
    even = values
    if height % 2 or width % 2:
        even = np.asarray(cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE))
    columns, rows = halved(width, height)
    return np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)).reshape(rows, columns, channels)


def sample(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every n-th row and column (h, w, C)."""
    step = max(1, int(np.ceil(np.sqrt(values.size / MOST_SAMPLES))))
    return np.asarray(values[::step, ::step])


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
        found = open_pyramid(folder)
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
