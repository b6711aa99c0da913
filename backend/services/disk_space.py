"""The disk as those see it who write what can be made again: they leave room for labels, and never cost an answer."""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from pathlib import Path

from db.errors import StorageFullError
from models.atomic_file import is_disk_full, write_atomically

logger = logging.getLogger(__name__)

SAY_AGAIN_AFTER_S = 3_600.0
MEGABYTE = 1_000_000


class DiskSpace:
    """The room that files which can be made again may take; safe to use from many threads."""

    def __init__(self, spare_bytes: int) -> None:
        self._spare_bytes = spare_bytes
        self._lock = threading.Lock()
        self._said_at: float | None = None

    def left(self, folder: Path) -> int:
        """Bytes that may be written in a folder, which need not exist yet; negative where too few are free already."""
        return _free(folder) - self._spare_bytes

    def keep(self, path: Path, data: bytes) -> None:
        """Write a file, or say once in a while in the log why that cannot be."""
        try:
            if self.left(path.parent) >= len(data):
                write_atomically(path, data, durable=False)
                return
        except OSError as error:
            if not is_disk_full(error):
                raise
        self._say_full(path.parent)

    def refusal(self, folder: Path, needed: int, what: str) -> StorageFullError:
        """The error that says how much room `what` needs there."""
        free, wanted = _free(folder) // MEGABYTE, math.ceil((needed + self._spare_bytes) / MEGABYTE)
        return StorageFullError(f"{what} needs {wanted} MB free on the disk, {free} MB are: free some space")

    def _say_full(self, folder: Path) -> None:
        now = time.monotonic()
        with self._lock:
            if self._said_at is not None and now - self._said_at < SAY_AGAIN_AFTER_S:
                return
            self._said_at = now
        logger.warning(
            "pictures are not kept in %s, and made anew each time: %d MB are free, %d MB are left for labels",
            folder,
            _free(folder) // MEGABYTE,
            self._spare_bytes // MEGABYTE,
        )


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir())).free
