"""A .csv with one image a line: a column for the path or address, the others are metadata."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from initialization.errors import SourceError
from initialization.list_source import ListSource
from initialization.sources import FilesInPlace, Plan, PlannedImage, Refusal, Source, is_storable, leaves, printable
from initialization.web_files import Limits

IMAGE_COLUMNS = ("path", "file", "url")
"""The first of these that the header has names the image."""
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class CsvRow:
    """One line."""

    number: int
    """Of the line in the file, from 1."""
    image: str
    """Path or address."""
    metadata: dict[str, str]
    """By column; empty values are left out."""


def open_csv(csv_file: Path, *, limits: Limits | None = None) -> Source:
    """The images of a .csv: where they are if all are paths, else downloaded and copied into the session.

    Raises:
        SourceError: the file cannot be read, or has no column for the image.
    """
    column, rows = read_rows(csv_file)
    if any(_is_address(row.image) for row in rows):
        return ListSource(csv_file, [{**row.metadata, "url": row.image} for row in rows], limits=limits)
    return CsvSource(csv_file, column, rows)


class CsvSource(FilesInPlace):
    """The files that a .csv names by paths relative to its folder, taken where they are."""

    def __init__(self, csv_file: Path, column: str, rows: list[CsvRow]) -> None:
        super().__init__(csv_file.resolve().parent)
        self._csv_file = csv_file.resolve()
        self._column = column
        self._rows = rows

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._csv_file)

    def plan(self, session_dir: Path) -> Plan:  # noqa: ARG002
        """The files in the order of the lines; one that is missing is planned, and fails with its reason later."""
        images: dict[str, PlannedImage] = {}
        refusals = []
        for row in self._rows:
            path, reason = self._checked(row.image)
            if reason is None and path in images:
                reason = "stands in a line before"
            if reason is None:
                images[path] = PlannedImage(path, dict(row.metadata))
            else:
                refusals.append(Refusal(f"line {row.number}", f"{printable(row.image) or self._column} {reason}"))
        return Plan(tuple(images.values()), tuple(refusals))

    def _checked(self, text: str) -> tuple[str, str | None]:
        """The path relative to the folder, and why it is not taken."""
        if not text:
            return text, "is empty"
        if not is_storable(text):
            return text, "is no valid text"
        slashed = text if "\\" not in text or (self._folder / text).exists() else text.replace("\\", "/")
        path = posixpath.normpath(slashed)
        if posixpath.isabs(path):
            path = posixpath.relpath(path, self._folder)
        try:
            file = self._folder / path
            if path == ".." or path.startswith("../") or leaves(file, self._folder):
                return path, f"leaves the folder of the list, {self._folder}: move list or file"
            if file.exists() and not file.is_file():
                return path, "is a folder, pipe, socket or device, expected a file"
        except OSError as error:
            return path, f"cannot be read: {error.strerror}"
        return path, None


def read_rows(csv_file: Path) -> tuple[str, list[CsvRow]]:
    """Name of the image column, and every line.

    Raises:
        SourceError: the file cannot be read, has no column for the image, or a line of another length.
    """
    try:
        with csv_file.open(encoding="utf-8-sig", newline="") as stream:
            return _parse(csv_file, stream)
    except OSError as error:
        raise SourceError(f"image_dir: {csv_file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"image_dir: {csv_file} is no UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except csv.Error as error:
        raise SourceError(f"image_dir: {csv_file} is no .csv: {error}") from error


def _parse(csv_file: Path, stream: Iterable[str]) -> tuple[str, list[CsvRow]]:
    lines = iter(stream)
    first = next(lines, "")
    # Spreadsheets of some countries write semicolons.
    delimiter = max(DELIMITERS, key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    lowered = [name.lower() for name in header]
    column = next((name for name in IMAGE_COLUMNS if name in lowered), None)
    if column is None:
        found = ", ".join(header) or "nothing"
        raise SourceError(
            f"image_dir: {csv_file} has the columns {found}, expected path, file or url in the first line"
        )
    twice = sorted({name for name in header if lowered.count(name.lower()) > 1})
    if twice:
        raise SourceError(f"image_dir: {csv_file} has the column {twice[0]!r} twice: rename one")
    position = lowered.index(column)
    return header[position], list(_rows(csv_file, csv.reader(lines, delimiter=delimiter), header, position))


def _rows(csv_file: Path, lines: Iterator[list[str]], header: list[str], position: int) -> Iterator[CsvRow]:
    for number, values in enumerate(lines, start=2):
        if not values:
            continue
        if len(values) != len(header):
            raise SourceError(
                f"image_dir: {csv_file}, row {number}: found {len(values)} values, expected {len(header)} "
                f"({', '.join(header)}): put values that hold the separator in double quotes"
            )
        others = zip(header, values, strict=True)
        metadata = {name: value for index, (name, value) in enumerate(others) if name and value and index != position}
        yield CsvRow(number, values[position].strip(), metadata)


def _is_address(text: str) -> bool:
    try:
        return urlsplit(text).scheme in {"http", "https", "file"}
    except ValueError:
        return False
