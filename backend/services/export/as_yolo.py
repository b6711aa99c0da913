"""Ultralytics YOLO, segment: a text file of outlines for each image, and what else its training asks for."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.export import MaskSource
from backend.services.export.as_png_masks import MaskNames, ZipSink
from backend.services.export.masks import Mask, read_mask
from backend.services.export.source import ExportedImage, read_images
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus, Split
from db.tables.images import Image
from models.region_tools import bridged, outlines

PARTS = {Split.TRAIN: "train.txt", Split.VALIDATION: "val.txt"}


def stream(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, source: MaskSource | None
) -> Iterator[bytes]:
    """labels/<path of the image, with .txt for its ending>, then train.txt, val.txt and data.yaml.

    The images stay where they are: train.txt and val.txt name them below images/, where the labels belong to them.
    """
    names = MaskNames(db_session.scalars(select(Image.path)))
    sink = ZipSink()
    listed: dict[Split, list[str]] = {part: [] for part in PARTS}
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for exported in read_images(db_session, session.class_ids, status=status):
            mask = read_mask(session, exported, source)
            if mask is None:
                continue
            path = exported.image.path
            name = PurePosixPath(names.name(path)).with_suffix(".txt")
            archive.writestr(f"labels/{name}", "".join(_lines(session, exported, mask)))
            listed[exported.image.split or Split.TRAIN].append(f"./images/{path}\n")
            yield sink.take()
        for part, file in PARTS.items():
            archive.writestr(file, "".join(listed[part]))
        archive.writestr("data.yaml", _data(session))
        yield sink.take()
    yield sink.take()


def _lines(session: SessionSnapshot, exported: ExportedImage, mask: Mask) -> Iterator[str]:
    """A line for each part of a class that hangs together: the class, then corners as shares of width and height."""
    number_of = {label_class.id: number for number, label_class in enumerate(session.classes)}
    size = (exported.image.width or 1, exported.image.height or 1)
    for class_id in mask.class_ids:
        for outline in outlines(mask.of_class(class_id)):
            corners = " ".join(f"{value:.6g}" for value in (bridged(outline) / size).ravel().tolist())
            yield f"{number_of[class_id]} {corners}\n"


def _data(session: SessionSnapshot) -> str:
    # A string of JSON is one of YAML.
    names = "".join(f"  {number}: {json.dumps(c.name)}\n" for number, c in enumerate(session.classes))
    return f"path: .\ntrain: train.txt\nval: val.txt\nnames:\n{names}"
