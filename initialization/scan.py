"""A folder of images, taken where it is; all of them, or those that a pattern names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from initialization.errors import SourceError
from initialization.glob_pattern import GlobPattern
from initialization.sources import (
    FilesInPlace,
    Plan,
    PlannedImage,
    Refusal,
    has_format,
    is_hidden,
    is_storable,
    leaves,
    natural_key,
    printable,
    suffix_of,
)


class FolderSource(FilesInPlace):
    """All images in a folder and the folders below it."""

    def __init__(
        self,
        folder: Path,
        formats: tuple[str, ...],
        labels_dir: Path | None = None,
        pattern: GlobPattern | None = None,
    ) -> None:
        super().__init__(folder)
        self._formats = formats
        # Masks below the images are pictures too, but no images of the session.
        self._labels_dir = labels_dir.resolve() if labels_dir else None
        self._pattern = pattern

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._folder) if self._pattern is None else f"{self._folder}/{self._pattern}"

    def plan(self, session_dir: Path) -> Plan:
        """Every file with a fitting name, in natural order; what could lead elsewhere or do harm is refused."""
        found: list[str] = []
        refusals: list[Refusal] = []
        others: Counter[str] = Counter()
        left_out = {session_dir.resolve(), self._labels_dir} - {self._folder}
        for relative, entry in self._walk(self._folder, "", left_out):
            is_link = entry.is_symlink()
            if is_link and Path(entry.path).is_dir():
                refusals.append(Refusal(printable(relative), "a link to a folder: links to folders are not followed"))
            elif self._pattern is not None and not self._pattern.matches(relative):
                continue
            elif not has_format(relative, self._formats):
                others[suffix_of(relative)] += 1
            else:
                reason = self._refusal(relative, entry, is_link=is_link)
                if reason is None:
                    found.append(relative)
                else:
                    refusals.append(Refusal(printable(relative), reason))
        images = tuple(PlannedImage(path) for path in sorted(found, key=natural_key))
        return Plan(images, tuple(sorted(refusals, key=lambda refusal: refusal.path)), others)

    def _refusal(self, relative: str, entry: os.DirEntry[str], *, is_link: bool) -> str | None:
        if not is_storable(relative):
            return "the name is not valid UTF-8: rename the file"
        if is_link and (leaves(Path(entry.path), self._folder) or not Path(entry.path).exists()):
            return "a link that leaves the image folder or leads nowhere"
        if not entry.is_file():
            return "a pipe, socket or device, expected a file"
        return None

    def _walk(self, folder: Path, prefix: str, left_out: set[Path | None]) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Files and links with their paths in the image folder; not hidden ones, and nothing below `left_out`."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            raise SourceError(f"image_dir: {folder} cannot be read ({error.strerror}): allow reading") from error
        for entry in entries:
            relative = prefix + entry.name
            if is_hidden(entry.name):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield relative, entry
            elif folder / entry.name not in left_out:
                yield from self._walk(folder / entry.name, relative + "/", left_out)
