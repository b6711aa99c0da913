"""Pictures for the page: original bytes where possible, else converted; small ones cached under session/cache/."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from fastapi import Response
from fastapi.responses import FileResponse

from backend.context import AppContext
from backend.services.image_paths import image_path
from backend.services.picture_values import is_tiled, open_values, require_registered_size
from db.errors import ConflictError, StorageFullError
from db.queries.images import get_image
from db.tables.images import Image
from models.geometry import fit_within
from models.images import is_browser_ready, read_image, read_size

JPEG_QUALITY = 92
CACHED_SIDES = frozenset({128, 192, 256, 384, 512, 1024, 2048, 4096})
"""Other sizes are computed each time, so that nobody fills the disk by asking for all of them."""
TILES_SOON_PX = 2_048
"""From this side on a picture is asked for by a page that shows it, not by a list."""
MEDIA_TYPES = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png", b"RI": "image/webp"}


def send_file(context: AppContext, image_id: int, if_none_match: str | None, max_side: int | None) -> Response:
    """The upright picture, at most `max_side` pixels on its longest side.

    Raises:
        NotFoundError: no such image, or its file is gone.
        ConflictError: the file could not be read when it was registered.
        ImageReadError: it was, but cannot be any more.
    """
    image = readable_image(context, image_id)
    shrinks = max_side is not None and max_side < max(image.width or 0, image.height or 0)
    side = max_side if shrinks else None
    etag = f'"{_picture_key(context, image)}-{side or "full"}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if matches_etag(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    path = image_path(context.config.image_root, image.path)
    if side is None and is_browser_ready(path, preprocessing=context.config.preprocessing):
        with path.open("rb") as stream:
            media_type = MEDIA_TYPES.get(stream.read(2), "application/octet-stream")
        return FileResponse(path, media_type=media_type, headers=headers)
    data = _cached(context, image, path, side)
    return Response(data, media_type=MEDIA_TYPES[data[:2]], headers=headers)


def send_thumbnail(context: AppContext, image_id: int, if_none_match: str | None, size: int) -> Response:
    """A small JPEG; smaller pictures are not enlarged.

    Raises:
        as `send_file`.
    """
    image = readable_image(context, image_id)
    etag = f'"{_picture_key(context, image)}-{size}t"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if matches_etag(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    data = _cached(context, image, image_path(context.config.image_root, image.path), size)
    return Response(data, media_type="image/jpeg", headers=headers)


def shrink(pixels: npt.NDArray[np.uint8], max_side: int, *, least: tuple[int, int] = (1, 1)) -> npt.NDArray[np.uint8]:
    """The picture with its longest side at most `max_side`, by area averaging; never enlarged.

    Args:
        least: See `models.geometry.fit_within`.
    """
    height, width = pixels.shape[:2]
    size = fit_within(width, height, max_side, least=least)
    if size == (width, height):
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode(pixels: npt.NDArray[np.uint8], *, lossless: bool) -> bytes:
    """PNG, or JPEG, of a picture (H, W, 3) in RGB."""
    kind = ".png" if lossless else ".jpg"
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if lossless else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(kind, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _picture_key(context: AppContext, image: Image) -> str:
    return (image.content_hash or "")[:32] + context.config.preprocessing.key


def readable_image(context: AppContext, image_id: int) -> Image:
    """The row of an image whose file could be read.

    Raises:
        NotFoundError: no such image.
        ConflictError: the file could not be read when it was registered.
    """
    with context.database.read() as db_session:
        image = get_image(db_session, image_id)
    if image.content_hash is None or image.width is None:
        raise ConflictError(f"{image.path} could not be read: {image.failure or 'no reason recorded'}")
    return image


def _cached(context: AppContext, image: Image, path: Path, side: int | None) -> bytes:
    """JPEG of at most `side` pixels, or lossless PNG in full size."""
    name = ".".join([str(image.content_hash), *filter(None, [context.config.preprocessing.key]), str(side or "full")])
    cached = context.settings.session_dir / "cache" / "pictures" / name[:2] / name
    if cached.is_file():
        return cached.read_bytes()
    pixels = _read(context, image, path, side)
    data = encode(pixels if side is None else shrink(pixels, side), lossless=side is None)
    if (side is None or side in CACHED_SIDES) and _is_as_registered(image, path):
        context.disk.keep(cached, data)
    return data


def _read(context: AppContext, image: Image, path: Path, side: int | None) -> npt.NDArray[np.uint8]:
    """(H, W, 3), at least as large as it is to be shown."""
    if side is not None and side >= TILES_SOON_PX and is_tiled(image):
        # Whoever shows a large picture that large will look closer: it is decoded once for this and for the tiles.
        # Where there is no room for tiles, it is shown without.
        with suppress(StorageFullError):
            return np.asarray(open_values(context, image, None, rendered=True).level_for(side), dtype=np.uint8)
    preprocessing = context.config.preprocessing
    pixels = read_image(path, preprocessing=preprocessing, at_least=side)
    width, height = read_size(path, preprocessing=preprocessing)
    require_registered_size(image, (height, width))
    return pixels


def _is_as_registered(image: Image, path: Path) -> bool:
    """Whether the file that was just read is the one of the row's hash, as far as size and time show.

    A replaced one keeps the old hash until init notices; cached by that, it would be shown when the old one is back.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    # Sessions from before these columns know neither.
    return image.file_size in (None, status.st_size) and image.file_mtime_ns in (None, status.st_mtime_ns)


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Whether the browser has it already."""
    return if_none_match is not None and etag in {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
