"""Where the images come from: files that stay where they are, a .zip, or a list of addresses."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

FETCHED_FOLDER = "images"
"""Folder of the session that takes what had to be unpacked or downloaded."""
_NAME_ERRORS = {
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
}


@dataclass(frozen=True)
class PlannedImage:
    """An image that the session shall hold."""

    path: str
    """Relative to the source's root, forward slashes."""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """A file that looks like an image and is not taken."""

    path: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a source offers, in the order of the session."""

    images: tuple[PlannedImage, ...]
    refusals: tuple[Refusal, ...] = ()
    other_suffixes: Counter[str] = field(default_factory=Counter)
    """How many files have an ending that `formats` does not name."""


class Source(Protocol):
    """A place with images. Looking at it writes nothing; only `fetch` does."""

    @property
    def identity(self) -> str:
        """Absolute path of what `image_dir` names."""
        ...

    @property
    def is_in_place(self) -> bool:
        """Whether the images are read where they are, so that there is nothing to fetch."""
        ...

    def root(self, session_dir: Path) -> Path:
        """The folder that the planned paths are relative to, once fetched."""
        ...

    def plan(self, session_dir: Path) -> Plan:
        """What there is.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        ...

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:
        """Readable copies or originals of some images, for timing; `folder` is a temporary one."""
        ...

    def fetch(self, images: Iterable[PlannedImage], session_dir: Path, advance: Callable[[], None]) -> list[Refusal]:
        """Bring the images under `root`; what is there already stays. One refusal for each that could not be had."""
        ...


class FilesInPlace:
    """The part of a `Source` that is the same for all whose images stay where they are, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    @property
    def is_in_place(self) -> bool:
        """See `Source`."""
        return True

    def root(self, session_dir: Path) -> Path:  # noqa: ARG002
        """The folder itself."""
        return self._folder

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:  # noqa: ARG002
        """The originals."""
        return [self._folder / image.path for image in images]

    def fetch(
        self,
        images: Iterable[PlannedImage],  # noqa: ARG002
        session_dir: Path,  # noqa: ARG002
        advance: Callable[[], None],  # noqa: ARG002
    ) -> list[Refusal]:
        """Nothing to do."""
        return []


_NUMBER = re.compile(r"(\d+)")


def natural_key(path: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts img2 before img10, and folders apart from each other."""
    parts: list[tuple[int, int, str]] = []
    for folder in path.split("/"):
        parts.append((0, 0, ""))
        for piece in _NUMBER.split(folder.lower()):
            if piece:
                parts.append((1, int(piece), "") if piece.isdecimal() else (2, 0, piece))
    return parts, path


def has_format(path: str, formats: tuple[str, ...]) -> bool:
    """Whether the file's ending is one of `formats`, in any case."""
    return suffix_of(path) in formats


def suffix_of(path: str) -> str:
    """The ending without its dot, lower case; empty if there is none."""
    return PurePosixPath(path).suffix.lower().removeprefix(".")


def is_hidden(path: str) -> bool:
    """Whether a part of the path is hidden, or is what macOS puts into archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(path).parts)


def leaves(path: Path, folder: Path) -> bool:
    """Whether a path, or a link on its way, leads out of `folder` (resolved)."""
    # Not Path.resolve, which raises on links that lead round in a circle.
    return not Path(os.path.realpath(path)).is_relative_to(folder)


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files of a fetch that was killed; no other one is at work, see `create.exclusive`."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def is_about_name(error: OSError) -> bool:
    """Whether only this name is at fault; a full disk, for example, would stop every other file too."""
    return error.errno in _NAME_ERRORS


def printable(path: str) -> str:
    """The name with a replacement for what is no text."""
    return path.encode("utf-8", "replace").decode("utf-8")


def is_storable(path: str) -> bool:
    """Whether the name is valid text: some file systems allow bytes that no database takes."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\x00" not in path
