"""A zip of indexed PNGs, one pixel value a class, with the classes' colours as palette."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.export import MaskSource
from backend.services.export.masks import Mask, read_mask
from backend.services.export.source import read_images
from backend.services.session_snapshot import SessionSnapshot
from db.enums import ImageStatus
from db.errors import InvalidInputError
from db.tables.images import Image

UNKNOWN = 255
"""Pixel value of what no class has."""


def stream(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, source: MaskSource | None
) -> Iterator[bytes]:
    """masks/<path of the image, with .png for its ending> for each image with a mask, then classes.json.

    Where images differ by their ending alone (a.jpg, a.png), their masks keep it: a.jpg.png, a.png.png.
    """
    names = MaskNames(db_session.scalars(select(Image.path)))
    sink = ZipSink()
    files: dict[str, str] = {}
    # Images are stored as they are: PNG is compressed already.
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for exported in read_images(db_session, session.class_ids, status=status):
            mask = read_mask(session, exported, source)
            if mask is None:
                continue
            name = f"masks/{names.name(exported.image.path)}"
            archive.writestr(name, _png(_values(session, mask), _palette(session)))
            files[exported.image.path] = name
            yield sink.take()
        archive.writestr("classes.json", json.dumps(_legend(session, files), indent=2))
        yield sink.take()
    yield sink.take()


class MaskNames:
    """A name for the mask of every image of a session, whichever of them are exported: no two share one."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._taken: set[str] = set()
        """Names, folded, that more than one image would get, or that an image with its ending kept has."""
        seen: set[str] = set()
        for path in paths:
            short = _short(path)
            self._taken.add(f"{path}.png".casefold())
            (self._taken if short in seen else seen).add(short)

    def name(self, path: str) -> str:
        """The image's path with .png for its ending, or after it where that name is taken."""
        return f"{path}.png" if _short(path) in self._taken else str(PurePosixPath(path).with_suffix(".png"))


def _short(path: str) -> str:
    # Folded: some file systems do not tell A.png from a.png.
    return str(PurePosixPath(path).with_suffix(".png")).casefold()


def require_few_classes(session: SessionSnapshot) -> None:
    """Refuse what does not fit into 8 bits.

    Raises:
        InvalidInputError: more classes than pixel values.
    """
    if len(session.classes) > UNKNOWN:
        raise InvalidInputError(
            f"png-masks holds {UNKNOWN} classes, the session has {len(session.classes)}: use format=coco"
        )


def _values(session: SessionSnapshot, mask: Mask) -> npt.NDArray[np.uint8]:
    value_of = {label_class.id: index for index, label_class in enumerate(session.classes)}
    lookup = np.full(256, UNKNOWN, np.uint8)
    for index, class_id in enumerate(mask.class_ids):
        lookup[index] = value_of[class_id]
    return np.asarray(lookup[mask.indices], dtype=np.uint8)


def _palette(session: SessionSnapshot) -> list[int]:
    colors = [0] * (3 * 256)
    for index, label_class in enumerate(session.classes):
        colors[3 * index : 3 * index + 3] = bytes.fromhex(label_class.color[1:])
    return colors


def _png(values: npt.NDArray[np.uint8], palette: list[int]) -> bytes:
    picture = PillowImage.fromarray(values, mode="L")
    picture.putpalette(palette)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def _legend(session: SessionSnapshot, files: dict[str, str]) -> dict[str, Any]:
    classes = [
        {"value": index, "id": c.id, "name": c.name, "color": c.color, "parent_id": c.parent_id}
        for index, c in enumerate(session.classes)
    ]
    return {"classes": classes, "unknown_value": UNKNOWN, "masks": files}


class ZipSink(io.RawIOBase):
    """A file that can only be written, from which what was written is taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self._data)
        self._data.clear()
        return data
