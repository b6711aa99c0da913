"""A .zip of images, unpacked into the session."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from initialization.errors import SourceError
from initialization.sources import (
    FETCHED_FOLDER,
    Plan,
    PlannedImage,
    Refusal,
    has_format,
    is_hidden,
    natural_key,
    suffix_of,
)

MAX_MEMBER_BYTES = 2 * 1024**3
MAX_RATIO = 500
"""Unpacked to packed size above which a member of more than `RATIO_FREE_BYTES` is taken for a bomb."""
RATIO_FREE_BYTES = 64 * 1024**2
# What reading a damaged or unsupported member raises.
_MEMBER_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class ZipSource:
    """All images in an archive. Nothing is ever written outside the session's image folder."""

    def __init__(self, archive: Path, formats: tuple[str, ...]) -> None:
        self._archive = archive.resolve()
        self._formats = formats

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._archive)

    def root(self, session_dir: Path) -> Path:
        """The session's folder for what was unpacked."""
        return session_dir / FETCHED_FOLDER

    def plan(self, session_dir: Path) -> Plan:
        """Every member with a fitting ending, in natural order, without those that could do harm."""
        found: dict[str, int] = {}
        refusals: list[Refusal] = []
        others: Counter[str] = Counter()
        with self._open() as archive:
            for member in archive.infolist():
                if member.is_dir() or is_hidden(member.filename.replace("..", "_")):
                    continue
                reason = _refusal_reason(member, found)
                if not has_format(member.filename, self._formats):
                    others[suffix_of(member.filename)] += 1
                elif reason:
                    refusals.append(Refusal(member.filename, reason))
                else:
                    found[member.filename] = member.file_size
        _check_space(sum(found.values()), session_dir)
        images = tuple(PlannedImage(path) for path in sorted(found, key=natural_key))
        return Plan(images, tuple(refusals), others)

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:
        """A few members, unpacked into `folder`."""
        paths = []
        with self._open() as archive:
            for index, image in enumerate(images):
                target = folder / f"{index}{PurePosixPath(image.path).suffix}"
                try:
                    _unpack(archive, image.path, target)
                except _MEMBER_ERRORS:
                    continue
                paths.append(target)
        return paths

    def fetch(self, images: Iterable[PlannedImage], session_dir: Path, advance: Callable[[], None]) -> list[Refusal]:
        """Unpack what is not there yet; a damaged member is refused and the others go on."""
        refusals = []
        with self._open() as archive:
            for image in images:
                target = self.root(session_dir) / image.path
                try:
                    if not target.is_file():
                        _unpack(archive, image.path, target)
                except _MEMBER_ERRORS as error:
                    refusals.append(Refusal(image.path, f"damaged in the archive: {error}"))
                advance()
        return refusals

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise SourceError(f"image_dir: {self._archive} cannot be opened as a .zip: {error}") from error


def _refusal_reason(member: zipfile.ZipInfo, found: dict[str, int]) -> str | None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]:
        return "the path leaves the archive's folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a symbolic link"
    if member.flag_bits & 1:
        return "encrypted: unpack it yourself and name the folder"
    if member.filename in found:
        return "the same name stands twice in the archive; the first one is taken"
    if member.file_size > MAX_MEMBER_BYTES:
        return f"unpacks to {member.file_size / 1e9:.1f} GB, more than {MAX_MEMBER_BYTES / 1e9:.1f} GB"
    if member.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * member.compress_size):
        return f"unpacks to {member.file_size // max(member.compress_size, 1)} times its size: a decompression bomb"
    return None


def _check_space(needed: int, session_dir: Path) -> None:
    folder = next(parent for parent in (session_dir, *session_dir.parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SourceError(
            f"image_dir: the archive unpacks to {needed / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB free: "
            "free some space or set session_dir to another disk"
        )


def _unpack(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    """Under a temporary name first: what stands under its own name is complete. A member's checksum is verified."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            with archive.open(name) as member:
                shutil.copyfileobj(member, stream, 1 << 20)
        except BaseException:
            temporary.unlink()
            raise
    temporary.chmod(0o644)
    temporary.replace(target)
