"""What a picture is shown from when it is not shown as it is: its values, whole or as a pyramid of halved levels.

Small pictures stay in memory for a while. Large ones lie under session/cache/pyramids/, in folders whose names tell the
file's content, size and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.context import AppContext
from backend.services.image_paths import image_path
from backend.services.picture_levels import (
    PictureValues,
    Shelf,
    build_pyramid,
    halvings,
    open_pyramid,
    require_room,
    sample,
)
from db.errors import ConflictError, StorageFullError
from db.tables.images import Image
from models.images import read_bands, read_image
from models.rendering import display_range

TILED_FROM_PX = 4_096
"""Pictures with a longer side than this are shown in tiles, and have a pyramid."""
PLAIN_RANGE = (0.0, 255.0)
# What OpenCV averages; other types become float32.
_AVERAGED = (np.uint8, np.uint16, np.int16, np.float32)


def is_tiled(image: Image) -> bool:
    """Whether it is too large to be sent in one piece."""
    return max(image.width or 0, image.height or 0) > TILED_FROM_PX


def open_values(
    context: AppContext,
    image: Image,
    bands: tuple[int, ...] | None,
    *,
    rendered: bool,
    or_in_memory: bool = False,
) -> PictureValues:
    """From memory, from the pyramid on disk, or else from the file.

    Args:
        bands: To show, counted from 1; None takes those that the session shows.
        rendered: Take the 8-bit picture that features are made from, rather than what was measured.
        or_in_memory: Where the disk is too full for a pyramid, give one in memory, for this answer alone.

    Raises:
        NotFoundError: the file is gone.
        ConflictError: it is not the one that was registered.
        StorageFullError: the disk is too full for a pyramid.
        ImageReadError: it cannot be read any more, or has no such bands.
    """
    path = image_path(context.config.image_root, image.path)
    key = picture_name(context, image, path, "rgb" if rendered else "-".join(map(str, bands or ("values",))))
    folder = context.settings.session_dir / "cache" / "pyramids" / key
    found = context.values.get(key) or open_pyramid(folder)
    if found is not None:
        return found
    # Decoding takes memory: one picture at a time, and whoever waits for the same one finds it done.
    with context.decoding:
        found = context.values.get(key) or open_pyramid(folder)
        if found is not None:
            return found
        shelf = Shelf(folder.parent, context.settings.pyramid_cache_bytes, context.disk)
        if is_tiled(image) and not or_in_memory:
            # Before it is decoded in vain; what was measured may take more than this.
            require_room(shelf, _fewest_bytes(image, rendered=rendered))
        values = _read(context, image, path, bands, rendered=rendered)
        ranges = ((PLAIN_RANGE,) * values.shape[2]) if rendered else _ranges(context, values, bands)
        if is_tiled(image):
            try:
                return build_pyramid(shelf, folder.name, values, ranges)
            except StorageFullError:
                if not or_in_memory:
                    raise
                return PictureValues(tuple(halvings(values)), ranges)
        found = PictureValues((values,), ranges)
        context.values.put(key, found)
        return found


def picture_name(context: AppContext, image: Image, path: Path, kind: str) -> str:
    """Tells apart whatever can be shown differently, a file that was replaced since it was registered included."""
    status = path.stat()
    parts = [str(image.content_hash)[:32], context.config.preprocessing.key, f"{status.st_size:x}"]
    return ".".join([*parts, f"{status.st_mtime_ns:x}", kind])


def require_registered_size(image: Image, shape: Sequence[int]) -> None:
    """Refuse what was decoded (height, width, ...) of a file that was replaced by one of another size.

    Raises:
        ConflictError: that is so.
    """
    height, width = shape[:2]
    if (height, width) != (image.height, image.width):
        raise ConflictError(
            f"{image.path} has {width} x {height} pixels, {image.width} x {image.height} when "
            "it was registered: put the old file back, or run init with --append"
        )


def _read(
    context: AppContext, image: Image, path: Path, bands: tuple[int, ...] | None, *, rendered: bool
) -> npt.NDArray[Any]:
    preprocessing = context.config.preprocessing
    values: npt.NDArray[Any]
    if rendered:
        values = read_image(path, preprocessing=preprocessing)
    else:
        values = read_bands(path, preprocessing=replace(preprocessing, bands=bands) if bands else preprocessing)
        values = values[:, :, : 1 if values.shape[2] < 3 else 3]
    require_registered_size(image, values.shape)
    kind = values.dtype.newbyteorder("=")
    return np.ascontiguousarray(values, dtype=kind if kind.type in _AVERAGED else np.float32)


def _fewest_bytes(image: Image, *, rendered: bool) -> int:
    assert image.width is not None
    assert image.height is not None
    return image.width * image.height * (3 if rendered else 1)


def _ranges(
    context: AppContext, values: npt.NDArray[Any], bands: tuple[int, ...] | None
) -> tuple[tuple[float, float], ...]:
    """As the session's rendering has them: bands that were chosen are measurements of their own."""
    contrast = context.config.preprocessing.contrast
    some = sample(values)
    if bands is None and context.config.preprocessing.bands is None:
        one = display_range(some, contrast)
        return tuple(one for _ in range(values.shape[2]))
    ranges = [display_range(some[:, :, channel], contrast) for channel in range(values.shape[2])]
    return tuple(ranges)
