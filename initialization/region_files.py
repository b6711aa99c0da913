"""Regions in the documents of other programs and of our own: COCO, and what `format=json` exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import ShapeError
from models.region_shapes import Polygon, Shape, mask_of, shape_of
from models.run_lengths import pixels_of_runs

OWN_FORMAT = "fewclick"
MOST_PIXELS = 1 << 30


@dataclass(frozen=True)
class FoundRegion:
    """A region of an image as a file has it; not looked at closely yet."""

    kind: str
    geometry: Mapping[str, Any]
    class_name: str | None
    """None for an eraser."""


@dataclass(frozen=True)
class DocumentImage:
    """An image as a document names it, with what that says of it."""

    name: str
    regions: tuple[FoundRegion, ...]
    points: tuple[tuple[Any, Any, str], ...]
    """(x, y, class), not looked at closely either."""
    problems: tuple[str, ...] = ()


def is_document(data: object) -> bool:
    """Whether this is about many images."""
    return isinstance(data, dict) and isinstance(data.get("images"), list)


def read_document(data: Mapping[str, Any]) -> Iterator[DocumentImage]:
    """The images of an export of ours, or of a COCO file."""
    return _of_export(data) if data.get("format") == OWN_FORMAT else _of_coco(data)


def _of_export(data: Mapping[str, Any]) -> Iterator[DocumentImage]:
    names = {
        _key(entry, "id"): str(entry.get("name")) for entry in _dicts(data.get("classes")) if not entry.get("removed")
    }
    for image in _dicts(data["images"]):
        regions = [
            FoundRegion(str(region.get("kind")), region.get("geometry") or {}, names.get(_key(region, "class_id")))
            for region in _dicts(image.get("regions"))
            if region.get("class_id") is None or _key(region, "class_id") in names
        ]
        points = [(p.get("x"), p.get("y"), names.get(_key(p, "class_id"))) for p in _dicts(image.get("points"))]
        yield DocumentImage(
            str(image.get("path")), tuple(regions), tuple((x, y, name) for x, y, name in points if name is not None)
        )


def _of_coco(data: Mapping[str, Any]) -> Iterator[DocumentImage]:
    names = {_key(entry, "id"): str(entry.get("name")) for entry in _dicts(data.get("categories"))}
    by_image: dict[str, list[Mapping[str, Any]]] = {}
    for annotation in _dicts(data.get("annotations")):
        by_image.setdefault(_key(annotation, "image_id"), []).append(annotation)
    for image in _dicts(data["images"]):
        regions: list[FoundRegion] = []
        problems = []
        for annotation in by_image.get(_key(image, "id"), []):
            name = names.get(_key(annotation, "category_id"))
            if name is None:
                problems.append(f"an annotation of the unknown category {annotation.get('category_id')!r}")
                continue
            try:
                shapes = [_coco_shape(entry) for entry in _coco_parts(annotation)]
            except (KeyError, TypeError, ValueError, ShapeError) as error:
                problems.append(f"annotation {annotation.get('id')!r} cannot be read ({' '.join(str(error).split())})")
                continue
            regions += [FoundRegion(shape.kind, shape.to_json(), name) for shape in shapes]
        points = tuple(
            (point.get("x"), point.get("y"), names[_key(point, "category_id")])
            for point in _dicts(image.get("points"))
            if _key(point, "category_id") in names
        )
        yield DocumentImage(str(image.get("file_name")), tuple(regions), points, tuple(problems))


def _coco_parts(annotation: Mapping[str, Any]) -> list[Any]:
    told = annotation.get("segmentation")
    if isinstance(told, dict):
        return [told]
    return list(told) if told else [{"bbox": annotation["bbox"]}]


def _coco_shape(part: Any) -> Shape:
    if isinstance(part, list):
        return Polygon((np.array(part, dtype=np.float64).reshape(-1, 2),))
    if "bbox" in part:
        x, y, width, height = (float(value) for value in part["bbox"])
        return shape_of("box", {"x0": x, "y0": y, "x1": x + width, "y1": y + height})
    height, width = (int(side) for side in part["size"])
    if isinstance(part["counts"], str):
        return shape_of("mask", {"x": 0, "y": 0, "size": [height, width], "counts": part["counts"]})
    runs = np.array(part["counts"], dtype=np.int64)
    if height * width > MOST_PIXELS:
        raise ShapeError(f"size names {height} x {width} pixels, more than an image has")
    mask = mask_of(pixels_of_runs(runs, height, width))
    if mask is None:
        raise ShapeError("a mask has no pixel set")
    return mask


def _key(entry: Mapping[str, Any], name: str) -> str:
    """An id, whatever a file makes of it, as something to look up."""
    return repr(entry.get(name))


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
