"""Opening image files without harm, and why one cannot be: nothing is decoded here. Imports no torch."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from models.errors import ImageReadError
from models.rendering import RenderError
from models.tiff import is_tiff

MAX_PIXELS = 400_000_000
"""Larger images are refused: a decompression bomb, or more memory (3 bytes a pixel) than can be spared."""

READABLE_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000")
"""What Pillow may try, whatever a file is called: its rarer decoders are less tested, and one starts Ghostscript."""

# Pillow's own limit only warns up to twice its value and cannot name the file: open_image checks on the header.
Image.MAX_IMAGE_PIXELS = None

# What Pillow's decoders raise on damaged files, by format and version.
DECODER_ERRORS = (
    OSError,
    RuntimeError,
    ArithmeticError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
    zlib.error,
)


@contextmanager
def reasons(path: Path) -> Iterator[None]:
    """Whatever is raised while a file is read becomes an `ImageReadError` that names it."""
    try:
        yield
    except RenderError as error:
        raise ImageReadError(f"{path.name} {error}") from error
    except DECODER_ERRORS as error:
        raise ImageReadError(f"{path.name} is damaged: {one_line(error)}") from error


def open_image(path: Path, page: int) -> Image.Image:
    """The file at a page counted from 1, no pixel decoded yet.

    Raises:
        UnidentifiedImageError: Pillow does not know it.
    """
    try:
        if require_file(path) == 0:
            raise ImageReadError(f"{path.name} is empty (0 bytes)")
        image = Image.open(path, formats=READABLE_FORMATS)
    except UnidentifiedImageError:
        raise
    except OSError as error:
        raise cannot_open(path, error) from error
    try:
        check_pixels(*image.size)
        if page > 1:
            _seek(image, page)
            check_pixels(*image.size)
    except BaseException:
        image.close()
        raise
    return image


def require_file(path: Path) -> int:
    """Size in bytes of what can be opened without harm: to open a pipe would wait for ever."""
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # a folder says so itself
        raise ImageReadError(f"{path.name} is a pipe, socket or device, expected a file")
    return status.st_size


def _seek(image: Image.Image, page: int) -> None:
    try:
        image.seek(page - 1)
    except (EOFError, UnidentifiedImageError, SyntaxError) as error:
        if image.format == "TIFF":  # tifffile counts right, and knows pages that Pillow does not
            raise UnidentifiedImageError(str(error)) from error
        count = getattr(image, "n_frames", 1)
        raise RenderError(f"has {count} page{'s' * (count != 1)}, preprocessing.page asks for {page}") from error


def check_pixels(width: int, height: int) -> None:
    """Raises RenderError above `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise RenderError(
            f"has {width} x {height} pixels, more than the limit of {MAX_PIXELS // 1_000_000} million: "
            "cut it into tiles"
        )


def require_tiff(path: Path) -> None:
    """Raises ImageReadError for what Pillow does not know and tifffile would not either."""
    if not is_tiff(path):
        raise ImageReadError(
            f"{path.name} is not an image that can be read: its content fits no known format "
            f"({', '.join(READABLE_FORMATS)})"
        )


def cannot_open(path: Path, error: OSError) -> ImageReadError:
    """The error that says so."""
    return ImageReadError(f"{path.name} cannot be opened: {error.strerror or one_line(error)}")


def one_line(error: BaseException) -> str:
    """What an error says, or its name."""
    return " ".join(str(error).split()) or type(error).__name__
