"""Ultralytics YOLO, segment: a folder that its training reads as it is, wherever it is unpacked."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.export import MaskSource
from backend.services.export.as_png_masks import MaskNames, ZipSink
from backend.services.export.masks import Mask, read_mask
from backend.services.export.source import ExportedImage, read_images
from backend.services.image_files import encode
from backend.services.image_paths import image_path
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus, Split
from db.errors import NotFoundError
from db.tables.images import Image
from models.errors import ImageReadError
from models.images import is_browser_ready, read_image
from models.region_tools import bridged, outlines

logger = logging.getLogger(__name__)

PARTS = {Split.TRAIN: "train.txt", Split.VALIDATION: "val.txt"}
COPIED = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""Endings that Ultralytics knows, of files that may go along as they are."""
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_CODES = "|".join(f"{ord(one):02X}" for one in f"%{_BREAKS}")
_ESCAPED = re.compile(f"[{_BREAKS}]|%(?={_CODES})")
"""Line breaks, and what would be read as one in their place."""


def stream(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, source: MaskSource | None
) -> Iterator[bytes]:
    """images/ and labels/ with a file each for every image that has a mask, then train.txt, val.txt and data.yaml.

    An image whose file is gone, or cannot be read any more, is left out: no list names what is not there.
    """
    stems = MaskNames(map(listed_name, db_session.scalars(select(Image.path))))
    sink = ZipSink()
    listed: dict[Split, list[str]] = {part: [] for part in PARTS}
    left_out = 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for exported in read_images(db_session, session.class_ids, status=status):
            if exported.prediction is None and not exported.regions:
                continue
            try:
                file = image_path(session.image_root, exported.image.path)
                mask = read_mask(session, exported, source)
                if mask is None:
                    continue
                suffix, picture = _picture(session, exported.image, file)
            except (NotFoundError, ImageReadError, OSError) as error:
                logger.warning("left out of the export: %s", error)
                left_out += 1
                continue
            stem = stems.name(listed_name(exported.image.path)).removesuffix(".png")
            # Pictures are compressed already.
            archive.writestr(f"images/{stem}{suffix}", picture, zipfile.ZIP_STORED)
            archive.writestr(f"labels/{stem}.txt", "".join(_lines(session, exported, mask)))
            listed[exported.image.split or Split.TRAIN].append(f"./images/{stem}{suffix}\n")
            yield sink.take()
        for part, name in PARTS.items():
            archive.writestr(name, "".join(listed[part]))
        archive.writestr("data.yaml", _data(session, listed, left_out))
        yield sink.take()
    yield sink.take()


def listed_name(path: str) -> str:
    """The path below images/, as a list of Ultralytics can name it; no two get the same.

    It takes the last folder images/ for the one beside labels/, each ./ for the folder of the list, a line for a file.
    """
    of_one_line = _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", path)
    return re.sub(r"((?<![^/])images_*|\._*)(?=/)", r"\g<0>_", of_one_line)


def _picture(session: SessionSnapshot, image: Image, file: Path) -> tuple[str, bytes]:
    """Ending and content of a file that shows, upright and cropped, what the labels were drawn on."""
    suffix = PurePosixPath(image.path).suffix
    if suffix.lower() in COPIED and is_browser_ready(file, preprocessing=session.preprocessing):
        return suffix, file.read_bytes()
    return ".png", encode(read_image(file, preprocessing=session.preprocessing), lossless=True)


def _lines(session: SessionSnapshot, exported: ExportedImage, mask: Mask) -> Iterator[str]:
    """A line for each part of a class that hangs together: the class, then corners as shares of width and height."""
    number_of = {label_class.id: number for number, label_class in enumerate(session.classes)}
    size = (exported.image.width or 1, exported.image.height or 1)
    for class_id in mask.class_ids:
        for outline in outlines(mask.of_class(class_id)):
            corners = " ".join(f"{value:.6g}" for value in (bridged(outline) / size).ravel().tolist())
            yield f"{number_of[class_id]} {corners}\n"


def _data(session: SessionSnapshot, listed: Mapping[Split, Sequence[str]], left_out: int) -> str:
    """data.yaml; without `path`, which would count from where the training is started, not from this file."""
    notes = [f"# Left out, as their files are gone or cannot be read: {left_out} images.\n"] if left_out else []
    used = dict(PARTS)
    for part, other in ((Split.VALIDATION, Split.TRAIN), (Split.TRAIN, Split.VALIDATION)):
        if not listed[part] and listed[other]:
            # An empty list would end the training with an error.
            used[part] = PARTS[other]
            notes.append(f"# {PARTS[part]} is empty, so {PARTS[other]} serves for both: figures will look too good.\n")
    data = {
        "train": used[Split.TRAIN],
        "val": used[Split.VALIDATION],
        "names": {number: label_class.name for number, label_class in enumerate(session.classes)},
    }
    return "".join(notes) + yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
