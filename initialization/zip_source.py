"""A .zip of images, unpacked into the session."""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from initialization.errors import SourceError
from initialization.sources import (
    FETCHED_FOLDER,
    Plan,
    PlannedImage,
    Refusal,
    clear_leftovers,
    has_format,
    is_about_name,
    is_hidden,
    natural_key,
    suffix_of,
)
from models.atomic_file import open_atomically

MAX_MEMBER_BYTES = 2 * 1024**3
MAX_RATIO = 500
"""Unpacked to packed size above which a member of more than `RATIO_FREE_BYTES` is taken for a bomb."""
RATIO_FREE_BYTES = 64 * 1024**2
RATIO_FREE_TOTAL_BYTES = 1024**3
ARCHIVE_SUFFIXES = frozenset({"zip", "7z", "rar", "tar", "gz", "tgz", "bz2", "xz", "zst"})
MAX_NAME_BYTES = 255
"""Of a file or folder, on every common file system."""
MAX_PATH_BYTES = 1024
# What reading a damaged or unsupported member raises; bzip2 has only an OSError without a number.
_MEMBER_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, RuntimeError)


class ZipSource:
    """All images in an archive. Nothing is ever written outside the session's image folder."""

    def __init__(self, archive: Path, formats: tuple[str, ...]) -> None:
        self._archive = archive.resolve()
        self._formats = formats

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._archive)

    @property
    def is_in_place(self) -> bool:
        """See `Source`."""
        return False

    def root(self, session_dir: Path) -> Path:
        """The session's folder for what was unpacked."""
        return session_dir / FETCHED_FOLDER

    def plan(self, session_dir: Path) -> Plan:
        """Every member with a fitting ending, in natural order, without those that could do harm."""
        with self._open() as archive:
            found = self._look_through(archive)
        unpacked_bytes = sum(member.file_size for member in found.members.values())
        self._check_ratio(unpacked_bytes)
        _check_space(unpacked_bytes, session_dir)
        images = tuple(PlannedImage(path) for path in sorted(found.members, key=natural_key))
        return Plan(images, tuple(found.refusals), found.others)

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:
        """A few members, unpacked into `folder`."""
        paths = []
        with self._open() as archive:
            members = self._look_through(archive).members
            for index, image in enumerate(images):
                target = folder / f"{index}{PurePosixPath(image.path).suffix}"
                if _unpack(archive, members[image.path], target) is None:
                    paths.append(target)
        return paths

    def fetch(self, images: Iterable[PlannedImage], session_dir: Path, advance: Callable[[], None]) -> list[Refusal]:
        """Unpack what is not there yet; a damaged member is refused and the others go on."""
        refusals = []
        clear_leftovers(self.root(session_dir))
        with self._open() as archive:
            members = self._look_through(archive).members
            for image in images:
                reason = _unpack(archive, members[image.path], self.root(session_dir) / image.path)
                refusals += [Refusal(image.path, reason)] if reason else []
                advance()
        return refusals

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._archive)
        except (*_MEMBER_ERRORS, OSError) as error:
            raise SourceError(f"image_dir: {self._archive} cannot be opened as a .zip: {error}") from error

    def _check_ratio(self, unpacked_bytes: int) -> None:
        """Refuse what no single member shows: many that unpack to just below the limit, or that share their bytes."""
        packed_bytes = max(self._archive.stat().st_size, 1)
        if unpacked_bytes > max(RATIO_FREE_TOTAL_BYTES, MAX_RATIO * packed_bytes):
            raise SourceError(
                f"image_dir: {self._archive} of {packed_bytes:,} bytes unpacks to {unpacked_bytes / 1e9:.1f} GB, more "
                f"than {MAX_RATIO} times its size: a decompression bomb; if it is none, unpack it and name the folder"
            )

    def _look_through(self, archive: zipfile.ZipFile) -> _Contents:
        found = _Contents()
        for member in archive.infolist():
            # Without "." and doubled slashes: two spellings of a name are one file once unpacked.
            path = PurePosixPath(member.filename)
            if member.is_dir() or is_hidden(member.filename.replace("..", "_")):
                continue
            if suffix_of(member.filename) in ARCHIVE_SUFFIXES:
                found.refusals.append(Refusal(member.filename, "an archive within the archive: unpack it yourself"))
                continue
            if not has_format(member.filename, self._formats):
                found.others[suffix_of(member.filename)] += 1
                continue
            reason = _name_refusal(member.filename, path) or _member_refusal(member) or found.clash(path)
            if reason:
                found.refusals.append(Refusal(member.filename, reason))
            else:
                found.members[str(path)] = member
                found.folders.update(str(parent) for parent in path.parents)
        return found


@dataclass
class _Contents:
    """What an archive offers."""

    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    """By path below the session's image folder."""
    folders: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def clash(self, path: PurePosixPath) -> str | None:
        """Why `path` cannot lie beside what was found before."""
        if str(path) in self.members:
            return "the same name stands twice in the archive; the first one is taken"
        if str(path) in self.folders or any(str(parent) in self.members for parent in path.parents):
            return "the archive has a file and a folder of one name; the first one is taken"
        return None


def _name_refusal(name: str, path: PurePosixPath) -> str | None:
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        return "the path leaves the archive's folder"
    if max(len(part.encode()) for part in path.parts) > MAX_NAME_BYTES or len(str(path).encode()) > MAX_PATH_BYTES:
        return f"the name is longer than {MAX_NAME_BYTES} bytes, or its path than {MAX_PATH_BYTES}"
    return None


def _member_refusal(member: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a symbolic link"
    if kind not in (0, stat.S_IFREG):
        return "a pipe, socket or device"
    if member.flag_bits & 1:
        return "encrypted: unpack it yourself and name the folder"
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


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str | None:
    """Unpack what is not there yet, checksum verified; returns why it cannot be had.

    Raises:
        OSError: the disk is full, or something else that would stop the next member too.
    """
    try:
        if not target.is_file():
            with archive.open(member) as packed, open_atomically(target, durable=False) as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
    except _MEMBER_ERRORS as error:
        return f"damaged in the archive: {error}"
    except OSError as error:
        if error.errno is None:
            return f"damaged in the archive: {error}"
        if is_about_name(error):
            return f"cannot be written under this name: {error.strerror}"
        raise
    return None
