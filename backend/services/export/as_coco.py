"""COCO: masks as RLE or polygons, points beside them; or, for whole images, one annotation each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from sqlalchemy.orm import Session

from backend.schemas.export import ExportOptions, Outlines
from backend.services.export.masks import Mask, read_mask
from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus
from db.tasks import Annotates
from models.region_tools import bridged, outlines


def stream(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, options: ExportOptions
) -> Iterator[bytes]:
    """{"info", "licenses", "categories", "images", "annotations"}.

    COCO wants all images before all annotations: the images are read once for each of the two lists.
    """
    head: dict[str, Any] = {
        "info": {
            "description": f"{session.name}, labelled with Fewclick",
            "version": "1.0",
            "preprocessing": session.preprocessing.to_json(),
        },
        "licenses": [],
        "categories": _categories(session),
    }
    yield (json.dumps(head)[:-1] + ', "images": [').encode()
    yield from _joined(_image(exported) for exported in read_images(db_session, session.class_ids, status=status))
    yield b'\n], "annotations": ['
    yield from _joined(_annotations(db_session, session, status, options))
    yield b"\n]}\n"


def _categories(session: SessionSnapshot) -> list[dict[str, Any]]:
    names = {c.id: c.name for c in session.classes}
    return [
        {"id": c.id, "name": c.name, "supercategory": names.get(c.parent_id or 0, ""), "color": c.color}
        for c in session.classes
    ]


def _joined(items: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    separator = "\n"
    for item in items:
        yield (separator + json.dumps(item)).encode()
        separator = ",\n"


def _image(exported: ExportedImage) -> dict[str, Any]:
    """As COCO has it; `points` are Fewclick's own, in pixels of the upright image."""
    image = exported.image
    return {
        "id": image.id,
        "file_name": image.path,
        "width": image.width,
        "height": image.height,
        "points": [{"x": p.x, "y": p.y, "category_id": p.class_id, "origin": p.origin.value} for p in exported.points],
    }


def _annotations(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, options: ExportOptions
) -> Iterator[dict[str, Any]]:
    number = 0
    for exported in read_images(db_session, session.class_ids, status=status):
        if session.task.annotates is not Annotates.POINTS:
            found = _whole_image(exported)
        else:
            mask = read_mask(session, exported, options.masks)
            make = _parts if options.outlines is Outlines.POLYGONS else _regions
            found = [] if mask is None else make(exported, mask)
        for annotation in found:
            number += 1
            yield {"id": number, **annotation}


def _whole_image(exported: ExportedImage) -> list[dict[str, Any]]:
    """One annotation for each class of the image."""
    image = exported.image
    found = [(mark.class_id, mark.origin) for mark in exported.classes or ()]
    if exported.label is not None:
        found.append((exported.label.class_id, exported.label.origin))
    width, height = image.width or 0, image.height or 0
    return [
        {
            "image_id": image.id,
            "category_id": class_id,
            "bbox": [0, 0, width, height],
            "area": width * height,
            "iscrowd": 0,
            "segmentation": [],
            "origin": origin.value,
        }
        for class_id, origin in found
    ]


def _regions(exported: ExportedImage, mask: Mask) -> list[dict[str, Any]]:
    """One annotation for all that belongs to a class: a region of stuff, not of one object."""
    regions = []
    for class_id in mask.class_ids:
        where = mask.of_class(class_id)
        if not where.any():
            continue
        rle = coco_mask.encode(np.asfortranarray(where.astype(np.uint8)))
        regions.append(
            {
                "image_id": exported.image.id,
                "category_id": class_id,
                "segmentation": {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")},
                "area": int(coco_mask.area(rle)),
                "bbox": [float(value) for value in coco_mask.toBbox(rle)],
                "iscrowd": 0,
            }
        )
    return regions


def _parts(exported: ExportedImage, mask: Mask) -> list[dict[str, Any]]:
    """One annotation for each part of a class that hangs together."""
    parts = []
    for class_id in mask.class_ids:
        for outline in outlines(mask.of_class(class_id)):
            ring = bridged(outline)
            corner, far = outline[0].min(axis=0), outline[0].max(axis=0)
            parts.append(
                {
                    "image_id": exported.image.id,
                    "category_id": class_id,
                    "segmentation": [ring.round(2).ravel().tolist()],
                    "area": round(_area(outline[0]) - sum(_area(hole) for hole in outline[1]), 2),
                    "bbox": [*corner.tolist(), *(far - corner).tolist()],
                    "iscrowd": 0,
                }
            )
    return parts


def _area(ring: npt.NDArray[np.float64]) -> float:
    x, y = ring.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
