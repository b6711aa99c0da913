"""A folder of images, taken where it is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from initialization.errors import SourceError
from initialization.sources import (
    Plan,
    PlannedImage,
    Refusal,
    has_format,
    is_hidden,
    is_storable,
    natural_key,
    suffix_of,
)


class FolderSource:
    """All images in a folder and the folders below it."""

    def __init__(self, folder: Path, formats: tuple[str, ...], labels_dir: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._formats = formats
        # Masks below the images are pictures too, but no images of the session.
        self._labels_dir = labels_dir.resolve() if labels_dir else None

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._folder)

    def root(self, session_dir: Path) -> Path:  # noqa: ARG002
        """The folder itself."""
        return self._folder

    def plan(self, session_dir: Path) -> Plan:
        """Every file with a fitting ending, in natural order; links that leave the folder are refused."""
        found: list[str] = []
        refusals: list[Refusal] = []
        others: Counter[str] = Counter()
        left_out = {session_dir.resolve(), self._labels_dir} - {self._folder}
        for path in self._walk(left_out):
            relative = path.relative_to(self._folder).as_posix()
            if path.is_symlink() and path.is_dir():
                refusals.append(Refusal(_printable(relative), "a link to a folder: links to folders are not followed"))
            elif not has_format(relative, self._formats):
                others[suffix_of(relative)] += 1
            elif not is_storable(relative):
                refusals.append(Refusal(_printable(relative), "the name is not valid UTF-8: rename the file"))
            elif path.is_symlink() and not _stays_inside(path, self._folder):
                refusals.append(Refusal(relative, "a link that leaves the image folder or leads nowhere"))
            else:
                found.append(relative)
        images = tuple(PlannedImage(path) for path in sorted(found, key=natural_key))
        return Plan(images, tuple(sorted(refusals, key=lambda refusal: refusal.path)), others)

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:  # noqa: ARG002
        """The originals."""
        return [self._folder / image.path for image in images]

    def fetch(
        self,
        images: Iterable[PlannedImage],  # noqa: ARG002
        session_dir: Path,  # noqa: ARG002
        advance: Callable[[], None],  # noqa: ARG002
    ) -> list[Refusal]:
        """Nothing to do: the images are read where they are."""
        return []

    def _walk(self, left_out: set[Path | None]) -> Iterator[Path]:
        """Files and links to folders; not hidden ones, and nothing below `left_out`."""

        def stop(error: OSError) -> None:
            raise SourceError(
                f"image_dir: {error.filename} cannot be read ({error.strerror}): allow reading"
            ) from error

        for name, folders, files in os.walk(self._folder, onerror=stop):
            folder = Path(name)
            links = [entry for entry in folders if (folder / entry).is_symlink()]
            folders[:] = [
                entry
                for entry in folders
                if entry not in links and not is_hidden(entry) and folder / entry not in left_out
            ]
            yield from (folder / entry for entry in [*files, *links] if not is_hidden(entry))


def _stays_inside(path: Path, folder: Path) -> bool:
    target = path.resolve()
    return target.is_file() and target.is_relative_to(folder)


def _printable(path: str) -> str:
    return path.encode("utf-8", "replace").decode("utf-8")
