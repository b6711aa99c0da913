"""Existing labels into the session, marked as imported. Images that have an annotation already are left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.database import Database
from db.enums import Origin, RegionKind, RegionOrigin
from db.errors import InvalidInputError
from db.queries.annotations import NewPoint, set_classes, set_label, set_undetermined
from db.queries.regions import MAX_REGIONS, NewRegion, NewShape, replace_regions
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tables.session import LabelClass
from db.tasks import Annotates, Task
from initialization.class_set_files import read_class_sets
from initialization.label_files import FoundLabels, ImageIndex, read_class_labels, read_point_labels
from initialization.masks import MaskError, MaskValues, mask_points, mask_regions, read_mask, read_values
from models.errors import ShapeError
from models.preprocessing import Crop, preprocessing_of
from models.region_checks import checked_shape
from models.region_shapes import Shape

BATCH = 50


@dataclass
class ImportReport:
    """What became of the labels; problems are lines for a person."""

    images: int = 0
    points: int = 0
    regions: int = 0
    left_alone: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Target:
    """An image that labels can be imported into."""

    id: int
    width: int
    height: int


def import_labels(
    database: Database, labels_dir: Path, advance: Callable[[int], None], *, masks_as_points: bool = False
) -> ImportReport:
    """Import what `labels_dir` says about the images of the session, in small transactions.

    Args:
        masks_as_points: A few points inside of masks, in place of the masks as regions.

    Raises:
        SourceError: values.json cannot be right.
    """
    with database.read() as db_session:
        info = get_session_info(db_session)
        task, crop = info.task, preprocessing_of(info.extractor["options"]).crop
        classes = db_session.scalars(
            select(LabelClass).where(LabelClass.removed_at.is_(None)).order_by(LabelClass.position, LabelClass.id)
        ).all()
        rows = db_session.execute(select(Image.path, Image.id, Image.width, Image.height, Image.revision)).all()
    index = ImageIndex(row.path for row in rows)
    found = _read_files(task, labels_dir, index, [entry.name for entry in classes])
    report = ImportReport(problems=found.problems)
    _report_without_image(found, report)
    by_place = found.points.keys() | found.masks.keys() | found.regions.keys()
    said = by_place | found.classes.keys() | found.class_sets.keys()
    labelled = found.undetermined | said
    report.left_alone = sum(row.revision > 0 for row in rows if row.path in labelled)
    targets = {
        row.path: _Target(row.id, row.width, row.height)
        for row in rows
        if row.revision == 0 and row.width is not None and row.height is not None
    }
    unreadable = sum(row.width is None for row in rows if row.path in labelled)
    if unreadable:
        report.problems.append(f"labels of {unreadable} unreadable images are not used")
    class_ids = {entry.name: entry.id for entry in classes}
    importer = _Importer(database, class_ids, crop, report, advance)
    paths = [path for path in targets if path in said]
    if task.annotates is Annotates.IMAGE:
        importer.import_classes(paths, targets, found)
    elif task.annotates is Annotates.CLASSES:
        importer.import_class_sets(paths, targets, found)
    else:
        values = read_values(labels_dir, [(entry.name, entry.color) for entry in classes])
        importer.import_points(paths, targets, found, values, masks_as_points=masks_as_points)
    importer.import_undetermined([path for path in targets if path in found.undetermined - said], targets)
    importer.report_unknown()
    return report


def _read_files(task: Task, labels_dir: Path, index: ImageIndex, class_names: list[str]) -> FoundLabels:
    match task.annotates:
        case Annotates.POINTS:
            return read_point_labels(labels_dir, index)
        case Annotates.IMAGE:
            return read_class_labels(labels_dir, index)
        case Annotates.CLASSES:
            return read_class_sets(labels_dir, index, class_names)


class _Importer:
    """Writes labels in batches and keeps count."""

    def __init__(
        self,
        database: Database,
        class_ids: dict[str, int],
        crop: Crop,
        report: ImportReport,
        advance: Callable[[int], None],
    ) -> None:
        self._database = database
        self._class_ids = class_ids
        self._crop = crop
        self._report = report
        self._advance = advance
        self._unknown: Counter[str] = Counter()

    def import_classes(self, paths: list[str], targets: dict[str, _Target], found: FoundLabels) -> None:
        """One class for each image."""
        for batch in _batches(paths):
            with self._database.write() as db_session:
                for path in batch:
                    class_id = self._class_id(found.classes[path])
                    image = _unannotated(db_session, targets[path])
                    if class_id is not None and image is not None:
                        set_label(db_session, image, class_id, origin=Origin.IMPORTED)
                        self._report.images += 1
            self._advance(len(batch))

    def import_class_sets(self, paths: list[str], targets: dict[str, _Target], found: FoundLabels) -> None:
        """Any number of classes for each image; one that has only unknown ones is left alone."""
        for batch in _batches(paths):
            with self._database.write() as db_session:
                for path in batch:
                    names = sorted(found.class_sets[path])
                    known = [class_id for name in names if (class_id := self._class_id(name)) is not None]
                    image = _unannotated(db_session, targets[path])
                    if image is None or (names and not known):
                        continue
                    try:
                        set_classes(db_session, image, known, origin=Origin.IMPORTED)
                    except InvalidInputError as error:
                        self._report.problems.append(f"{path}: {error}")
                    else:
                        self._report.images += 1
            self._advance(len(batch))

    def import_points(
        self,
        paths: list[str],
        targets: dict[str, _Target],
        found: FoundLabels,
        values: MaskValues,
        *,
        masks_as_points: bool,
    ) -> None:
        """The points and regions that are given; masks as regions, or as points inside of them."""
        for batch in _batches(paths):
            new = {}
            for path in batch:
                target = targets[path]
                of_masks = self._mask_points(path, target, found, values) if masks_as_points else []
                regions = [] if masks_as_points else self._mask_regions(path, target, found, values)
                regions += self._regions(path, target, found)
                new[path] = self._points(path, target, found.points.get(path, []) + of_masks), regions
            with self._database.write() as db_session:
                for path, (points, regions) in new.items():
                    image = _unannotated(db_session, targets[path])
                    if (points or regions) and image is not None:
                        replace_regions(db_session, image, regions, points=points, origin=Origin.IMPORTED)
                        self._report.images += 1
                        self._report.points += len(points)
                        self._report.regions += len(regions)
            self._advance(len(batch))

    def import_undetermined(self, paths: list[str], targets: dict[str, _Target]) -> None:
        """Images of which a person could not tell."""
        for batch in _batches(paths):
            with self._database.write() as db_session:
                for path in batch:
                    image = _unannotated(db_session, targets[path])
                    if image is not None:
                        set_undetermined(db_session, image)
                        self._report.images += 1
            self._advance(len(batch))

    def report_unknown(self) -> None:
        """One line for each class name that the session does not have."""
        known = ", ".join(self._class_ids)
        self._report.problems += [
            f"class {name!r} is not in the session: {count} label{'s' * (count != 1)} not used (classes: {known})"
            for name, count in sorted(self._unknown.items())
        ]

    def _mask_regions(self, path: str, target: _Target, found: FoundLabels, values: MaskValues) -> list[NewRegion]:
        mask_path = found.masks.get(path)
        if mask_path is None:
            return []
        try:
            masks = mask_regions(read_mask(mask_path, (target.width, target.height), self._crop), values)
        except MaskError as error:
            self._report.problems.append(f"mask {mask_path.name} of {path} {error}")
            return []
        known = [(self._class_id(name), mask) for name, mask in masks]
        return [_imported(class_id, mask) for class_id, mask in known if class_id is not None]

    def _regions(self, path: str, target: _Target, found: FoundLabels) -> list[NewRegion]:
        regions = []
        for given in found.regions.get(path, []):
            class_id = None if given.class_name is None else self._class_id(given.class_name)
            if class_id is None and given.class_name is not None:
                continue
            try:
                shape = checked_shape(given.kind, given.geometry, target.width, target.height)
            except ShapeError as error:
                self._report.problems.append(f"a region of {path} is not used: {error}")
            else:
                regions.append(_imported(class_id, shape))
        if len(regions) > MAX_REGIONS:
            self._report.problems.append(f"{path}: of {len(regions)} regions the first {MAX_REGIONS} are used")
        return regions[:MAX_REGIONS]

    def _points(self, path: str, target: _Target, found: list[tuple[float, float, str]]) -> list[NewPoint]:
        new = []
        outside = 0
        for x, y, name in found:
            class_id = self._class_id(name)
            if not (0 <= x <= target.width and 0 <= y <= target.height):
                outside += 1
            elif class_id is not None:
                new.append(NewPoint(x, y, class_id))
        if outside:
            self._report.problems.append(
                f"{path}: {outside} point{'s' * (outside != 1)} outside its {target.width} x {target.height} pixels"
            )
        return new

    def _mask_points(
        self, path: str, target: _Target, found: FoundLabels, values: MaskValues
    ) -> list[tuple[float, float, str]]:
        mask_path = found.masks.get(path)
        if mask_path is None:
            return []
        try:
            by_class = mask_points(read_mask(mask_path, (target.width, target.height), self._crop), values)
        except MaskError as error:
            self._report.problems.append(f"mask {mask_path.name} of {path} {error}")
            return []
        return [(x, y, name) for name, points in by_class.items() for x, y in points]

    def _class_id(self, name: str) -> int | None:
        class_id = self._class_ids.get(name)
        if class_id is None:
            self._unknown[name] += 1
        return class_id


def _imported(class_id: int | None, shape: Shape) -> NewRegion:
    new = NewShape(RegionKind(shape.kind), shape.to_json())
    return NewRegion(class_id, new, origin=RegionOrigin.IMPORTED)


def _unannotated(db_session: Session, target: _Target) -> Image | None:
    """The image, unless somebody has annotated it since it was looked up."""
    image = db_session.get(Image, target.id)
    return image if image is not None and image.revision == 0 else None


def _batches(paths: list[str]) -> list[list[str]]:
    return [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]


def _report_without_image(found: FoundLabels, report: ImportReport) -> None:
    if found.without_image:
        places = ", ".join(f"{where} {count}" for where, count in found.without_image.most_common(4))
        more = ", ..." * (len(found.without_image) > 4)
        report.problems.append(
            f"{found.without_image.total()} labels belong to no image of the session ({places}{more})"
        )
