"""Which classes images have, any number each, from files in the layouts that docs/init.md describes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from initialization.config import DEFAULT_FORMATS
from initialization.label_files import (
    CLASS_COLUMNS,
    HOLDS,
    PATH_COLUMNS,
    STATUS_COLUMN,
    UNANSWERED,
    UNDETERMINED_COLUMN,
    FoundLabels,
    ImageIndex,
    files_below,
    read_json,
)
from initialization.sources import has_format
from models.csv_cells import unguarded

LIST_COLUMNS = ("classes", "labels", *CLASS_COLUMNS)
SEPARATOR = ";"
DOES_NOT_HOLD = frozenset({"", "0", "false", "no"})


def read_class_sets(labels_dir: Path, index: ImageIndex, class_names: Sequence[str]) -> FoundLabels:
    """Folders named like classes, .csv files, or one .txt or .json for an image; what they say of an image adds up.

    A file that names an image and no class says that none holds.

    Args:
        class_names: of the session: a .csv file may have a column for each.
    """
    found = FoundLabels()
    for path, relative in files_below(labels_dir):
        suffix = path.suffix.lower()
        parts = PurePosixPath(relative).parts
        if suffix == ".csv":
            for image, names in _csv_answers(path, relative, index, found, class_names):
                found.add_class_set(image, names)
        elif suffix in {".txt", ".json"}:
            image_path = index.find(relative)
            listed = _names_in_file(path, relative, found) if image_path else None
            if image_path and listed is not None:
                found.add_class_set(image_path, listed)
            elif not image_path:
                found.without_image[suffix] += 1
        elif has_format(relative, DEFAULT_FORMATS) and len(parts) > 1:
            image_path = index.find(PurePosixPath(*parts[1:]).as_posix())
            if image_path:
                found.add_class_set(image_path, [parts[0]])
            else:
                found.without_image[parts[0] + "/"] += 1
    return found


def _csv_answers(
    path: Path, relative: str, index: ImageIndex, found: FoundLabels, class_names: Sequence[str]
) -> Iterator[tuple[str, list[str]]]:
    """(image path, class names) of each usable row."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        reader = csv.reader(stream)
        header = [unguarded(name.strip()).casefold() for name in next(reader, [])]
        path_column = next((i for i, name in enumerate(header) if name in PATH_COLUMNS), None)
        if path_column is None:
            found.problems.append(f"{relative}: no column 'path', found {', '.join(header) or 'no header'}")
            return
        columns = _class_columns(header, path_column, class_names)
        taken = {path_column, *columns}
        undetermined = next(
            (i for i, name in enumerate(header) if name == UNDETERMINED_COLUMN and i not in taken), None
        )
        status = next((i for i, name in enumerate(header) if name == STATUS_COLUMN and i not in taken), None)
        list_column = next((i for i, name in enumerate(header) if name in LIST_COLUMNS and i not in taken), None)
        if not columns and list_column is None:
            found.problems.append(
                f"{relative}: no column 'classes', nor one with the name of a class, found {', '.join(header)}"
            )
            return
        for values in reader:
            where, row = f"{relative}, line {reader.line_num}", [unguarded(value) for value in values]
            if len(row) != len(header):
                if row:
                    found.problems.append(f"{where}: expected {len(header)} values")
                continue
            image = index.find(row[path_column].strip())
            if image is None:
                found.without_image[relative] += 1
                continue
            if undetermined is not None and row[undetermined].strip().casefold() in HOLDS:
                found.undetermined.add(image)
                continue
            if status is not None and row[status].strip().casefold() in UNANSWERED:
                continue
            listed = [] if list_column is None else _split(row[list_column])
            marked = _marked(row, columns, where, found)
            if marked is not None:
                yield image, listed + marked


def _class_columns(header: Sequence[str], path_column: int, class_names: Sequence[str]) -> dict[int, str]:
    """Class by column. A class may be called like another column: it is then the last of them, as in an export."""
    last = {name: column for column, name in enumerate(header) if column != path_column}
    return {last[name.casefold()]: name for name in class_names if name.casefold() in last}


def _marked(row: Sequence[str], columns: dict[int, str], where: str, found: FoundLabels) -> list[str] | None:
    """Classes whose column says that they hold; None where one says neither that nor the contrary."""
    names = []
    for column, name in columns.items():
        value = row[column].strip().casefold()
        if value not in HOLDS | DOES_NOT_HOLD:
            found.problems.append(f"{where}: {name} is {row[column]!r}, expected 1 or 0")
            return None
        if value in HOLDS:
            names.append(name)
    return names


def _names_in_file(path: Path, relative: str, found: FoundLabels) -> list[str] | None:
    if path.suffix.lower() == ".txt":
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]
    data = read_json(path, relative, found)
    if isinstance(data, dict):
        data = next((data[key] for key in LIST_COLUMNS if key in data), None)
    names = [data] if isinstance(data, str) else data
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [name.strip() for name in names if name.strip()]
    found.problems.append(f'{relative}: names no classes, expected {{"classes": ["cat", "dog"]}}, [] for none')
    return None


def _split(value: str) -> list[str]:
    return [name.strip() for name in value.split(SEPARATOR) if name.strip()]
