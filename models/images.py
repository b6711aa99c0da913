"""Reading image files: whatever comes in, an upright 8-bit RGB picture goes out, or a clear reason why not.

Every reader of the product goes through this module, so that page, features and exports show the same pixels.
Imports no torch.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from models.errors import ImageReadError
from models.header_size import header_size
from models.preprocessing import DEFAULT, Crop, Preprocessing

MAX_PIXELS = 400_000_000
"""Larger images are refused: a decompression bomb, or more memory (3 bytes a pixel) than can be spared."""

READABLE_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000")
"""What Pillow may try, whatever a file is called: its rarer decoders are less tested, and one starts Ghostscript."""
ORIENTATION_TAG = 0x0112
STRETCH_PERCENTILES = (0.5, 99.5)
BROWSER_MODES = {"JPEG": {"RGB", "L"}, "PNG": {"RGB", "L", "1"}, "WEBP": {"RGB"}}

# Pillow's own limit only warns up to twice its value and cannot name the file; _open checks MAX_PIXELS on the header.
Image.MAX_IMAGE_PIXELS = None

# EXIF orientation -> (quarter turns counter-clockwise, then mirror left-right) that make the picture upright.
_UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}

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


def read_image(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> npt.NDArray[np.uint8]:
    """The picture as a person sees it: (H, W, 3) uint8, RGB, upright.

    Palette, grey, 1-bit, CMYK and other colour spaces are converted; alpha is laid over white. More than 8 bits are
    stretched between the 0.5 and 99.5 percentiles, unless the values fit into 8 bits (or 0..1 for floats). Of
    animations and multi-page files the first picture is taken.

    Raises:
        ImageReadError: missing, empty, truncated, no image, or larger than `MAX_PIXELS`.
    """
    try:
        with _open(path) as image:
            orientation = _orientation(image)
            pixels = _decode_with_opencv(path) if _is_deep_color(image) else _to_rgb(image)
    except UnidentifiedImageError:
        pixels, orientation = _decode_with_opencv(path), 1
    except DECODER_ERRORS as error:
        raise ImageReadError(f"{path.name} is damaged: {_one_line(error)}") from error
    upright = _make_upright(pixels, orientation)
    width, height = _cropped_size(path, upright.shape[1], upright.shape[0], preprocessing.crop)
    left, top = preprocessing.crop.left, preprocessing.crop.top
    return np.ascontiguousarray(upright[top : top + height, left : left + width])


def read_size(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> tuple[int, int]:
    """(width, height) of the upright picture in pixels, from the header alone where the format allows it.

    Raises:
        ImageReadError: as for `read_image`, though damage behind the header goes unseen.
    """
    try:
        with _open(path) as image:
            width, height = image.size
            if _orientation(image) >= 5:
                width, height = height, width
    except UnidentifiedImageError:
        width, height = _checked_header_size(path)
    except DECODER_ERRORS as error:
        raise ImageReadError(f"{path.name} is damaged: {_one_line(error)}") from error
    return _cropped_size(path, width, height, preprocessing.crop)


def content_hash(path: Path) -> str:
    """SHA-256 of the file, 64 hex digits.

    Raises:
        ImageReadError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _cannot_open(path, error) from error


def is_browser_ready(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> bool:
    """Whether a browser shows the original bytes exactly as `read_image` decodes them.

    Raises:
        ImageReadError: the file cannot be read.
    """
    try:
        with _open(path) as image:
            return (
                preprocessing.keeps_plain_pictures
                and image.mode in BROWSER_MODES.get(image.format or "", set())
                and "transparency" not in image.info
                and getattr(image, "n_frames", 1) == 1
                and _orientation(image) == 1
                and not _is_deep_color(image)
            )
    except UnidentifiedImageError:
        return False
    except DECODER_ERRORS as error:
        raise ImageReadError(f"{path.name} is damaged: {_one_line(error)}") from error


def _open(path: Path) -> Image.Image:
    try:
        if path.stat().st_size == 0:
            raise ImageReadError(f"{path.name} is empty (0 bytes)")
        image = Image.open(path, formats=READABLE_FORMATS)
    except UnidentifiedImageError:
        raise
    except OSError as error:
        raise _cannot_open(path, error) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise _too_large(path, width, height)
    return image


def _cropped_size(path: Path, width: int, height: int, crop: Crop) -> tuple[int, int]:
    left = (width - crop.left - crop.right, height - crop.top - crop.bottom)
    if min(left) < 1:
        raise ImageReadError(
            f"{path.name} has {width} x {height} pixels, of which preprocessing.crop leaves none: crop less"
        )
    return left


def _cannot_open(path: Path, error: OSError) -> ImageReadError:
    return ImageReadError(f"{path.name} cannot be opened: {error.strerror or _one_line(error)}")


def _too_large(path: Path, width: int, height: int) -> ImageReadError:
    return ImageReadError(
        f"{path.name} has {width} x {height} pixels, more than the limit of {MAX_PIXELS // 1_000_000} million: "
        "cut it into tiles"
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8. To be asked before the pixels are loaded, so that `read_size` sees the same."""
    if image.format == "TIFF":
        return 1  # Pillow turns these itself while it loads, and tells the turned size
    try:
        # The base class's method: PNG's own one decodes the whole picture to look for EXIF behind the pixels.
        value = Image.Image.getexif(image).get(ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _make_upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    quarter_turns, mirrored = _UPRIGHT.get(orientation, (0, False))
    upright = np.rot90(pixels, quarter_turns)
    return np.ascontiguousarray(upright[:, ::-1] if mirrored else upright)


def _is_deep_color(image: Image.Image) -> bool:
    """Whether Pillow would cut a colour picture of more than 8 bits a channel down to its high bytes."""
    if not isinstance(image, ImageFile.ImageFile) or image.mode not in {"RGB", "RGBA"} or not image.tile:
        return False
    return ";16" in str(image.tile[0][3])


def _to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode[0] in "IF":  # I, I;16, I;16B, F: one channel of more than 8 bits
        return _grey_to_rgb(_to_8_bits(np.asarray(image)))
    if image.mode in {"LA", "PA", "La", "RGBA", "RGBa"} or "transparency" in image.info:
        return _over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def _grey_to_rgb(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _over_white(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + 255 * (255 - alpha)
    return np.asarray((mixed + 127) // 255, dtype=np.uint8)


def _to_8_bits(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Any real array as uint8, by the rule that `read_image` states; not-a-number and infinity become the minimum."""
    if values.dtype == np.uint8:
        return np.asarray(values, dtype=np.uint8)
    numbers = values.astype(np.float32)
    finite = np.isfinite(numbers)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(numbers[finite].min()), float(numbers[finite].max())
    numbers = np.where(finite, numbers, low)
    if np.issubdtype(values.dtype, np.floating) and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    else:
        stretched = np.percentile(numbers[finite], STRETCH_PERCENTILES)
        # A few bright spots on a dark ground can put both percentiles on one value; the full range is left then.
        low, high = (float(stretched[0]), float(stretched[1])) if stretched[1] > stretched[0] else (low, high)
    scaled = (numbers - low) * (255 / max(high - low, 1e-12))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)


def _checked_header_size(path: Path) -> tuple[int, int]:
    """(width, height) of what only OpenCV can decode, which has a limit of its own and cannot name the file."""
    try:
        with path.open("rb") as stream:
            size = header_size(stream)
    except DECODER_ERRORS as error:
        raise ImageReadError(f"{path.name} is damaged: {_one_line(error)}") from error
    if size is None:
        raise ImageReadError(
            f"{path.name} is not an image that can be read: its content fits no known format "
            f"({', '.join(READABLE_FORMATS)})"
        )
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(path, *size)
    return size


def _decode_with_opencv(path: Path) -> npt.NDArray[np.uint8]:
    """RGB of what Pillow does not know or cuts down: colour of more than 8 bits a channel. Not turned upright."""
    _checked_header_size(path)
    try:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except OSError as error:
        raise _cannot_open(path, error) from error
    except cv2.error as error:
        raise ImageReadError(f"{path.name} cannot be decoded: {_one_line(error)}") from error
    if pixels is None or pixels.ndim not in (2, 3):
        raise ImageReadError(
            f"{path.name} cannot be decoded: damaged, or of a kind that neither Pillow nor OpenCV reads"
        )
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return _grey_to_rgb(_to_8_bits(pixels.reshape(pixels.shape[:2])))
    if pixels.shape[2] not in (3, 4):
        raise ImageReadError(f"{path.name} has {pixels.shape[2]} channels, expected 1, 3 or 4")
    color = _to_8_bits(pixels[:, :, :3])[:, :, ::-1]
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(color)
    opaque = {"uint8": 255.0, "uint16": 65535.0}.get(pixels.dtype.name, 1.0)
    alpha = np.rint(np.clip(pixels[:, :, 3:] / opaque, 0, 1) * 255).astype(np.uint8)
    return _over_white(np.concatenate([color, alpha], axis=2))
