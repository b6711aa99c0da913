"""Pictures as a person wants to look at them: tiles of large ones, other bands, another contrast.

Features never see any of this: they are made from the picture that `models.images.read_image` gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fastapi import Response

from backend.context import AppContext
from backend.schemas.images import PictureDisplay
from backend.services.image_files import MEDIA_TYPES, encode, matches_etag, readable_image, shrink
from backend.services.image_paths import image_path
from backend.services.picture_levels import PictureValues, sample
from backend.services.picture_values import PLAIN_RANGE, is_tiled, open_values, picture_name
from db.errors import InvalidInputError, NotFoundError
from db.tables.images import Image
from models.images import count_bands, is_deep
from models.rendering import percentile_range, stretch

TILE_PX = 512
"""Side of a tile; the last ones of a row or column are smaller."""
MOST_PIXELS = 1 << 26
"""Of a picture that is sent in one piece in another look: more would take gigabytes of memory, each time."""


@dataclass(frozen=True)
class Look:
    """What is shown of a picture, and what of it is black and white."""

    bands: tuple[int, ...] | None = None
    """One (grey) or three (red, green, blue), counted from 1; None: as the session shows it."""
    low: float = 0.0
    """Black and"""
    high: float = 1.0
    """white, as shares of the range that the session's contrast shows: below 0 and above 1 lies what that cuts off."""

    @property
    def is_plain(self) -> bool:
        """Whether that is the picture as the session shows it."""
        return self == Look()

    @property
    def key(self) -> str:
        """For addresses and caches."""
        return f"{'-'.join(map(str, self.bands or ()))}_{self.low:.5g}_{self.high:.5g}"


def parse_look(bands: str | None, low: float, high: float) -> Look:
    """From what stands in an address.

    Raises:
        InvalidInputError: no such look can be.
    """
    if not high > low:
        raise InvalidInputError(f"white ({high:g}) must lie above black ({low:g})")
    if bands is None:
        return Look(None, low, high)
    if not re.fullmatch(r"\d{1,5}(,\d{1,5},\d{1,5})?", bands) or "0" in bands.split(","):
        raise InvalidInputError(f"bands is {bands!r}, expected one band or three, counted from 1, such as 4 or 3,2,1")
    return Look(tuple(int(band) for band in bands.split(",")), low, high)


def send_tile(
    context: AppContext, image_id: int, if_none_match: str | None, look: Look, level: int, x: int, y: int
) -> Response:
    """One tile: PNG where it shows every pixel, JPEG of the coarser levels.

    Raises:
        NotFoundError: no such image or tile, or its file is gone.
        ConflictError: the file could not be read when it was registered, or was replaced since.
        StorageFullError: the disk has no room for the tiles.
        ImageReadError: it cannot be read any more, or has no such bands.
    """
    image = readable_image(context, image_id)
    _require_tile(image, level, x, y)
    headers = _headers(context, image, f"{look.key}-{level}-{x}-{y}")
    if matches_etag(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    values = open_values(context, image, look.bands, rendered=look.is_plain)
    if level >= len(values.levels):
        raise NotFoundError(f"image {image_id} has levels 0 to {len(values.levels) - 1}, there is no level {level}")
    rows, columns = slice(y * TILE_PX, (y + 1) * TILE_PX), slice(x * TILE_PX, (x + 1) * TILE_PX)
    pixels = _render(np.asarray(values.levels[level][rows, columns]), values, look)
    return _picture(pixels, lossless=level == 0, headers=headers)


def send_view(
    context: AppContext, image_id: int, if_none_match: str | None, look: Look, max_side: int | None
) -> Response:
    """The whole picture in another look, at most `max_side` pixels on its longest side.

    Raises:
        InvalidInputError: that is too large for one piece.
        as `send_tile`.
    """
    image = readable_image(context, image_id)
    headers = _headers(context, image, f"{look.key}-{max_side or 'full'}")
    if matches_etag(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    _require_small(image, max_side)
    values = open_values(context, image, look.bands, rendered=False, or_in_memory=True)
    side = max_side or max(values.levels[0].shape[:2])
    pixels = shrink(_render(np.asarray(values.level_for(side)), values, look), side)
    return _picture(pixels, lossless=not is_tiled(image), headers=headers)


def describe_picture(context: AppContext, image_id: int, bands: tuple[int, ...] | None) -> PictureDisplay:
    """What there is to choose from, and the contrast that suits these bands.

    Raises:
        as `send_tile`.
    """
    image = readable_image(context, image_id)
    path = image_path(context.config.image_root, image.path)
    preprocessing = context.config.preprocessing
    deep = is_deep(path, preprocessing=preprocessing)
    values = open_values(context, image, bands, rendered=bands is None and not deep, or_in_memory=True)
    low, high = _auto_contrast(values)
    return PictureDisplay(
        bands=count_bands(path, preprocessing=preprocessing),
        deep=deep,
        tile_px=TILE_PX if is_tiled(image) else None,
        levels=len(values.levels) if is_tiled(image) else 1,
        black=min(black for black, _ in values.ranges),
        white=max(white for _, white in values.ranges),
        auto_low=low,
        auto_high=high,
    )


def _auto_contrast(values: PictureValues) -> tuple[float, float]:
    """The automatic contrast as shares of the range shown; that range itself where nothing differs."""
    some = values.sample()
    shares = []
    for channel, (black, white) in enumerate(values.ranges):
        low, high = percentile_range(sample(some[:, :, channel : channel + 1]))
        if white > black and high > low:
            shares.append(((low - black) / (white - black), (high - black) / (white - black)))
    if not shares:
        return 0.0, 1.0
    # One contrast for all channels: the colours stay what they are.
    return min(low for low, _ in shares), max(high for _, high in shares)


def _render(pixels: npt.NDArray[np.generic], values: PictureValues, look: Look) -> npt.NDArray[np.uint8]:
    """(h, w, 3) uint8."""
    if pixels.dtype == np.uint8 and set(values.ranges) == {PLAIN_RANGE} and (look.low, look.high) == (0.0, 1.0):
        planes = np.asarray(pixels, dtype=np.uint8)
    else:
        planes = np.stack(
            [
                stretch(pixels[:, :, channel], black + look.low * (white - black), black + look.high * (white - black))
                for channel, (black, white) in enumerate(values.ranges)
            ],
            axis=2,
        )
    return np.repeat(planes, 3, axis=2) if planes.shape[2] == 1 else planes


def _require_small(image: Image, max_side: int | None) -> None:
    assert image.width is not None
    assert image.height is not None
    longest = max(image.width, image.height)
    # The level that it is made from may have nearly twice as many rows and columns.
    share = 1.0 if max_side is None else min(1.0, 2 * max_side / longest)
    if is_tiled(image) and image.width * image.height * share**2 > MOST_PIXELS:
        most = int(longest * (MOST_PIXELS / (image.width * image.height)) ** 0.5 / 2)
        raise InvalidInputError(
            f"image {image.id} has {image.width} x {image.height} pixels: other bands or another contrast of it are "
            f"sent in tiles, or in one piece with max_side up to {most}"
        )


def _require_tile(image: Image, level: int, x: int, y: int) -> None:
    assert image.width is not None
    assert image.height is not None
    side = TILE_PX << level
    columns, rows = -(-image.width // side), -(-image.height // side)
    if x >= columns or y >= rows:
        raise NotFoundError(
            f"level {level} of image {image.id} has {columns} x {rows} tiles, counted from 0: there is no tile {x}, {y}"
        )


def _headers(context: AppContext, image: Image, view: str) -> dict[str, str]:
    path = image_path(context.config.image_root, image.path)
    return {"ETag": f'"{picture_name(context, image, path, view)}"', "Cache-Control": "private, no-cache"}


def _picture(pixels: npt.NDArray[np.uint8], *, lossless: bool, headers: dict[str, str]) -> Response:
    data = encode(pixels, lossless=lossless)
    return Response(data, media_type=MEDIA_TYPES[data[:2]], headers=headers)
