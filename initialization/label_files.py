"""Existing labels as files, in the layouts that docs/init.md describes; what cannot be used is told, never fatal."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from initialization.config import DEFAULT_FORMATS
from initialization.masks import LEGEND_NAME, VALUES_NAME
from initialization.region_files import FoundRegion, is_document, read_document
from initialization.sources import has_format, is_hidden, natural_key
from models.csv_cells import unguarded

PATH_COLUMNS = ("path", "image", "file", "filename", "file_name")
UNDETERMINED_COLUMN = "undetermined"
STATUS_COLUMN = "status"
UNANSWERED = frozenset({"unlabeled", "skipped"})
"""What an export of all images says of those that nobody has answered for: their lines say nothing of classes."""
HOLDS = frozenset({"1", "true", "yes", "x"})
MAX_DOCUMENT = 2 << 30
"""Bytes of a .json that is about many images."""
CLASS_COLUMNS = ("class", "label", "class_name")


class ImageIndex:
    """Finds the image that a label file means: by its path, else by its name if only one image bears it."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._paths = set(paths)
        for path in self._paths:
            pure = PurePosixPath(path)
            for name in (pure.with_suffix("").as_posix(), pure.name, pure.stem):
                self._by_name[name].add(path)

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def find(self, name: str) -> str | None:
        """The image's path; None if there is none, or no way to tell which."""
        parts = PurePosixPath(name.replace("\\", "/").removeprefix("./")).parts
        for start in range(len(parts)):  # label files may lie below more folders than the images
            tail = PurePosixPath(*parts[start:])
            for candidate in (tail.as_posix(), tail.with_suffix("").as_posix()):
                if candidate in self._paths:
                    return candidate
                found = self._by_name.get(candidate, set())
                if found:
                    return next(iter(found)) if len(found) == 1 else None
        return None


@dataclass
class FoundLabels:
    """What the files say, by image path, and what was wrong with them."""

    classes: dict[str, str] = field(default_factory=dict)
    class_sets: dict[str, set[str]] = field(default_factory=dict)
    """Where an image may have several; an empty one says that none holds."""
    points: dict[str, list[tuple[float, float, str]]] = field(default_factory=lambda: defaultdict(list))
    masks: dict[str, Path] = field(default_factory=dict)
    regions: dict[str, list[FoundRegion]] = field(default_factory=dict)
    """The last on top."""
    problems: list[str] = field(default_factory=list)
    without_image: Counter[str] = field(default_factory=Counter)
    """Labels of images that the session does not hold, by the file that has them (or its folder)."""

    undetermined: set[str] = field(default_factory=set)
    """Images of which a person could not tell."""

    def add_class(self, image: str, name: str, where: str) -> None:
        """A class for an image; of two different ones the first counts."""
        known = self.classes.setdefault(image, name)
        if known != name:
            self.problems.append(f"{where}: {image} has two labels, {known!r} and {name!r}; the first is taken")

    def add_class_set(self, image: str, names: Iterable[str]) -> None:
        """Classes that an image has beside those known of it so far."""
        self.class_sets.setdefault(image, set()).update(names)


def read_class_labels(labels_dir: Path, index: ImageIndex) -> FoundLabels:
    """Classes of whole images: folders named like classes, .csv files, or one .txt or .json for an image."""
    found = FoundLabels()
    for path, relative in files_below(labels_dir):
        suffix = path.suffix.lower()
        parts = PurePosixPath(relative).parts
        if suffix == ".csv":
            for where, image, row in _csv_rows(path, relative, index, found, CLASS_COLUMNS):
                found.add_class(image, row[_column(row, CLASS_COLUMNS)].strip(), where)
        elif suffix in {".txt", ".json"}:
            image_path = index.find(relative)
            name = _class_of_file(path, relative, found) if image_path else None
            if image_path and name:
                found.add_class(image_path, name, relative)
            elif not image_path:
                found.without_image[suffix] += 1
        elif has_format(relative, DEFAULT_FORMATS) and len(parts) > 1:
            # labels_dir may be the image folder itself (the path holds the class) or a copy sorted into classes.
            below_class = PurePosixPath(*parts[1:]).as_posix()
            image_path = index.find(relative) if relative in index else index.find(below_class)
            if image_path:
                found.add_class(image_path, parts[0], relative)
            else:
                found.without_image[parts[0] + "/"] += 1
    return found


def read_point_labels(labels_dir: Path, index: ImageIndex) -> FoundLabels:
    """Points and masks: .csv files with path, x, y, class; one .json for an image, or one of COCO or of an export for
    many; mask pictures of the same name.
    """
    found = FoundLabels()
    for path, relative in files_below(labels_dir):
        suffix = path.suffix.lower()
        if suffix == ".csv":
            for where, image, row in _csv_rows(path, relative, index, found, CLASS_COLUMNS, ("x",), ("y",)):
                _add_point(found, image, row, row[_column(row, CLASS_COLUMNS)], where)
            continue
        if path.name in {VALUES_NAME, LEGEND_NAME} or not (suffix == ".json" or has_format(relative, DEFAULT_FORMATS)):
            continue
        image_path = index.find(relative)
        if suffix == ".json":
            _add_json(found, index, image_path, path, relative)
        elif image_path is None:
            found.without_image[suffix] += 1
        elif image_path in found.masks:
            found.problems.append(f"{relative}: {image_path} has a mask already, {found.masks[image_path].name}")
        else:
            found.masks[image_path] = path
    return found


def files_below(labels_dir: Path) -> Iterator[tuple[Path, str]]:
    """(path, path below the folder) of each file that is not hidden, in natural order."""
    if labels_dir.is_file():
        yield labels_dir, labels_dir.name
        return
    relatives = [path.relative_to(labels_dir).as_posix() for path in labels_dir.rglob("*") if path.is_file()]
    for relative in sorted(relatives, key=natural_key):
        if not is_hidden(relative):
            yield labels_dir / relative, relative


def _csv_rows(
    path: Path, relative: str, index: ImageIndex, found: FoundLabels, *wanted: tuple[str, ...]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(where, image path, row) for each usable row."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        reader = csv.DictReader(stream)
        header = [unguarded((name or "").strip()).lower() for name in reader.fieldnames or []]
        reader.fieldnames = header
        for columns in (PATH_COLUMNS, *wanted):
            if not set(columns) & set(header):
                found.problems.append(f"{relative}: no column {columns[0]!r}, found {', '.join(header) or 'no header'}")
                return
        for values in reader:
            where = f"{relative}, line {reader.line_num}"
            if None in values.values() or None in values:
                found.problems.append(f"{where}: expected {len(header)} values")
                continue
            row = {name: unguarded(value) for name, value in values.items()}
            image = index.find(row[_column(row, PATH_COLUMNS)].strip())
            if image is None:
                found.without_image[relative] += 1
            elif row.get(UNDETERMINED_COLUMN, "").strip().casefold() in HOLDS:
                found.undetermined.add(image)
            elif row.get(STATUS_COLUMN, "").strip().casefold() not in UNANSWERED:
                yield where, image, row


def _column(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next(name for name in names if name in row)


def _add_point(found: FoundLabels, image: str, point: dict[str, Any], name: str, where: str) -> None:
    try:
        x, y = float(point["x"]), float(point["y"])
    except (KeyError, TypeError, ValueError):
        found.problems.append(f"{where}: x and y are {point.get('x')!r} and {point.get('y')!r}, expected numbers")
        return
    found.points[image].append((x, y, name.strip()))


def _add_json(found: FoundLabels, index: ImageIndex, image: str | None, path: Path, relative: str) -> None:
    data = read_json(path, relative, found) if image is not None or path.stat().st_size <= MAX_DOCUMENT else None
    if isinstance(data, dict) and is_document(data):
        _add_document(found, index, data, relative)
    elif image is not None:
        _add_json_points(found, image, data, relative)
    else:
        found.without_image[".json"] += 1


def _add_document(found: FoundLabels, index: ImageIndex, data: Mapping[str, Any], relative: str) -> None:
    for entry in read_document(data):
        image = index.find(entry.name)
        if image is None:
            found.without_image[relative] += len(entry.regions) + len(entry.points)
            continue
        found.problems += [f"{relative}: {image}: {problem}" for problem in entry.problems]
        if entry.regions:
            found.regions.setdefault(image, []).extend(entry.regions)
        for x, y, name in entry.points:
            _add_point(found, image, {"x": x, "y": y}, name, relative)


def _add_json_points(found: FoundLabels, image: str, data: object, relative: str) -> None:
    points = data.get("points") if isinstance(data, dict) else data
    if not isinstance(points, list):
        found.problems.append(f'{relative}: expected {{"points": [{{"x": 1.5, "y": 2.5, "class": "cell"}}]}}')
        return
    for number, point in enumerate(points, start=1):
        where = f"{relative}, point {number}"
        name = _name_in(point)
        if name is None:
            found.problems.append(f"{where}: has no class")
        else:
            _add_point(found, image, point, name, where)


def _class_of_file(path: Path, relative: str, found: FoundLabels) -> str | None:
    if path.suffix.lower() == ".txt":
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
        name = lines[0].strip() or None
    else:
        name = _name_in(read_json(path, relative, found))
    if name is None:
        found.problems.append(f'{relative}: names no class, expected one line of text or {{"class": "cat"}}')
    return name


def _name_in(data: object) -> str | None:
    if isinstance(data, dict):
        data = next((data[key] for key in CLASS_COLUMNS if key in data), None)
    return data.strip() or None if isinstance(data, str) else None


def read_json(path: Path, relative: str, found: FoundLabels) -> object:
    """The document; None, with a problem, where it is none."""
    try:
        data: object = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except ValueError as error:
        found.problems.append(f"{relative}: not valid JSON ({error})")
        return None
    return data
