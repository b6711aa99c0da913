"""A zip of indexed PNGs, one pixel value a class, with the classes' colours as palette."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from sqlalchemy.orm import Session

from backend.services.export.masks import Mask, read_mask
from backend.services.export.source import read_images
from backend.services.session_snapshot import SessionSnapshot
from db.errors import InvalidInputError
from db.models import ImageStatus

UNKNOWN = 255
"""Pixel value of what no class has."""


def stream(
    db_session: Session, session: SessionSnapshot, status: ImageStatus | None, max_work_side: int
) -> Iterator[bytes]:
    """masks/<path of the image>.png for each image with a prediction, then classes.json.

    The name keeps the image's own extension: a.jpg and a.png may both be there.
    """
    sink = _Sink()
    files: dict[str, str] = {}
    # Images are stored as they are: PNG is compressed already.
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for exported in read_images(db_session, session.class_ids, status=status):
            mask = read_mask(session, exported, max_work_side)
            if mask is None:
                continue
            name = f"masks/{exported.image.path}.png"
            archive.writestr(name, _png(_values(session, mask), _palette(session)))
            files[exported.image.path] = name
            yield sink.take()
        archive.writestr("classes.json", json.dumps(_legend(session, files), indent=2))
        yield sink.take()
    yield sink.take()


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
        {"value": index, "id": c.id, "name": c.name, "color": c.color} for index, c in enumerate(session.classes)
    ]
    return {"classes": classes, "unknown_value": UNKNOWN, "masks": files}


class _Sink(io.RawIOBase):
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
