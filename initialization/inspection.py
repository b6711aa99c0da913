"""What the file of an image says about it, before its pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import ImageReadError
from models.images import content_hash, read_size
from models.preprocessing import DEFAULT, Preprocessing


@dataclass(frozen=True)
class FileFacts:
    """Identity and upright size of an image file, or why there are none."""

    content_hash: str | None = None
    """SHA-256; None when the file could not be read."""
    width: int | None = None
    height: int | None = None
    """Upright, pixels."""
    file_size: int | None = None
    """Bytes, and"""
    file_mtime_ns: int | None = None
    """time of the last change when the hash was taken."""
    failure: str | None = None
    """Why the image cannot be used, in one line for a person."""

    def fits(self, path: Path) -> bool:
        """Whether the file still is the one that these facts tell of, as far as size and time show."""
        if self.content_hash is None or self.failure is not None:
            return False
        try:
            status = path.stat()
        except OSError:
            return False
        # Sessions from before these columns know neither: their files count as unchanged.
        return self.file_size in (None, status.st_size) and self.file_mtime_ns in (None, status.st_mtime_ns)


def inspect_file(path: Path, preprocessing: Preprocessing = DEFAULT) -> FileFacts:
    """Hash and upright size, or the reason why there are none."""
    found_hash = size = mtime_ns = None
    try:
        # Before the hash: a change in between then shows as another time.
        status = path.stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
    except OSError:
        pass  # the next line says why, in the words that all readers use
    try:
        found_hash = content_hash(path)
        width, height = read_size(path, preprocessing=preprocessing)
    except ImageReadError as error:
        return FileFacts(found_hash, None, None, size, mtime_ns, str(error))
    return FileFacts(found_hash, width, height, size, mtime_ns)
