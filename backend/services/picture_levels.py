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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from backend.services.disk_space import DiskSpace
from db.errors import StorageFullError
from models.atomic_file import is_disk_full
from models.geometry import halved

COARSEST_PX = 512
MOST_SAMPLES = 1_000_000
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


@dataclass(frozen=True)
class Shelf:
    """Where pyramids lie, and how much they may take."""

    home: Path
    most_bytes: int
    """All together: those used longest ago go."""
    disk: DiskSpace

    def refusal(self, finest_bytes: int) -> StorageFullError:
        """Why there is no pyramid."""
        return self.disk.refusal(self.home, _pyramid_bytes(finest_bytes), "full detail of this picture")


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
    shelf: Shelf, name: str, values: npt.NDArray[Any], ranges: tuple[tuple[float, float], ...]
) -> PictureValues:
    """Write a pyramid of values (H, W, C), where nothing else has its name.

    Raises:
        StorageFullError: the disk has no room for it.
    """
    try:
        shelf.home.mkdir(parents=True, exist_ok=True)
        _make_room(shelf, values.nbytes)
        temporary = Path(tempfile.mkdtemp(dir=shelf.home, prefix="."))
        try:
            count = 0
            for level in halvings(values):
                _write_array(temporary / f"{count}.npy", level)
                count += 1
            (temporary / "pyramid.json").write_text(json.dumps({"levels": count, "ranges": ranges}))
            return _put_in_place(temporary, shelf.home / name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        # Others write there as well.
        if not is_disk_full(error):
            raise
        raise shelf.refusal(values.nbytes) from error


def require_room(shelf: Shelf, finest_bytes: int) -> None:
    """Refuse a pyramid whose finest level takes that many bytes where it would not fit even alone.

    Raises:
        StorageFullError: that is so.
    """
    if shelf.disk.left(shelf.home) >= _pyramid_bytes(finest_bytes):
        return
    kept = sum(_size_of(folder) for _, folder in _by_last_use(shelf.home)) if shelf.home.is_dir() else 0
    if shelf.disk.left(shelf.home) + kept < _pyramid_bytes(finest_bytes):
        raise shelf.refusal(finest_bytes)


def halvings(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """The levels, the finest first."""
    yield values
    while max(values.shape[:2]) > COARSEST_PX:
        values = halve(values)
        yield values


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
    try:
        dead = Path(tempfile.mkdtemp(dir=folder.parent, prefix=DEAD))
    except OSError as error:
        if not is_disk_full(error):
            raise
        # Not even for that is there room; without this file it is no pyramid.
        (folder / "pyramid.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        return
    # Another process deletes it as well.
    with suppress(FileNotFoundError):
        folder.rename(dead / "pyramid")
    shutil.rmtree(dead, ignore_errors=True)


def _write_array(path: Path, values: npt.NDArray[Any]) -> None:
    """As `numpy.save`, whose error on a full disk does not tell that it is full."""
    values = np.ascontiguousarray(values)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(values))
        stream.write(values.data)


def _pyramid_bytes(finest_bytes: int) -> int:
    return finest_bytes * 4 // 3


def _make_room(shelf: Shelf, finest_bytes: int) -> None:
    """Remove the pyramids used longest ago until another one fits.

    Raises:
        StorageFullError: the disk has no room for it; then they stay.
    """
    require_room(shelf, finest_bytes)
    now = time.time()
    needed = _pyramid_bytes(finest_bytes)
    used = _by_last_use(shelf.home)
    sizes = {folder: _size_of(folder) for _, folder in used}
    total = sum(sizes.values())
    for used_at, folder in used:
        is_abandoned = folder.name.startswith(DEAD) or (
            folder.name.startswith(".") and now - used_at > ABANDONED_AFTER_S
        )
        is_over = not folder.name.startswith(".") and total + needed > shelf.most_bytes
        if is_abandoned or is_over or shelf.disk.left(shelf.home) < needed:
            _delete(folder)
            total -= sizes[folder]
    if shelf.disk.left(shelf.home) < needed:
        raise shelf.refusal(finest_bytes)


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
