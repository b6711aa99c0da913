"""Reading image files: whatever comes in, an upright 8-bit RGB picture goes out, or a clear reason why not.

Every reader of the product goes through this module, so that page, features and exports show the same pixels.
Imports no torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from models.errors import ImageReadError
from models.geometry import fit_within
from models.image_opening import (
    DECODER_ERRORS,
    MAX_PIXELS,
    cannot_open,
    check_pixels,
    one_line,
    open_image,
    reasons,
    require_file,
    require_tiff,
)
from models.preprocessing import DEFAULT, Preprocessing
from models.rendering import RawPicture, RenderError, cropped_size, render, upright_size, upright_values
from models.tiff import PLAIN_PHOTOMETRICS, read_tiff, tiff_bands, tiff_is_deep, tiff_size

ORIENTATION_TAG = 0x0112
BROWSER_MODES = {"JPEG": {"RGB", "L"}, "PNG": {"RGB", "L", "1"}, "WEBP": {"RGB"}}


def read_image(
    path: Path, *, preprocessing: Preprocessing = DEFAULT, at_least: int | None = None
) -> npt.NDArray[np.uint8]:
    """The picture as a person sees it: (H, W, 3) uint8, RGB, upright, cropped.

    Palette, grey, 1-bit, CMYK and other colour spaces are converted; alpha is laid over white. Unless `preprocessing`
    says otherwise, more than 8 bits are stretched as `models.rendering.to_8_bits` tells, and of animations and
    multi-page files the first picture is taken.

    Args:
        at_least: Longest side in pixels that is enough, for a picture on screen: a JPEG without preprocessing is then
            decoded at a half, a quarter or an eighth of its size, several times as fast.

    Raises:
        ImageReadError: missing, empty, truncated, no image, larger than `MAX_PIXELS`, or preprocessing does not fit it.
    """
    with reasons(path):
        return render(_read_raw(path, preprocessing, at_least if preprocessing == DEFAULT else None), preprocessing)


def read_bands(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> npt.NDArray[np.generic]:
    """What was measured at each pixel of that picture: (H, W, bands), of the file's type; see `upright_values`.

    Raises:
        ImageReadError: as for `read_image`.
    """
    with reasons(path):
        return upright_values(_read_raw(path, preprocessing), preprocessing)


def is_deep(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> bool:
    """Whether it holds more than 8 bits a band, of which a picture on screen shows a part, from the header alone.

    Raises:
        ImageReadError: as for `read_image`.
    """
    with reasons(path):
        try:
            with open_image(path, preprocessing.page) as image:
                if not _is_for_tifffile(image, preprocessing):
                    return image.mode[0] in "IF" or _is_deep_color(image)
        except UnidentifiedImageError:
            require_tiff(path)
        return tiff_is_deep(path, preprocessing.page)


def count_bands(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> int:
    """How many bands there are to choose from, opacity left out, from the header alone where the format allows it.

    Raises:
        ImageReadError: as for `read_image`.
    """
    with reasons(path):
        try:
            with open_image(path, preprocessing.page) as image:
                if not _is_for_tifffile(image, dataclasses.replace(preprocessing, bands=(1,))):
                    return 1 if image.mode in {"1", "L", "LA", "La"} or image.mode[0] in "IF" else 3
        except UnidentifiedImageError:
            require_tiff(path)
        return tiff_bands(path, preprocessing.page)


def read_size(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> tuple[int, int]:
    """(width, height) of that picture in pixels, from the header alone where the format allows it.

    Raises:
        ImageReadError: as for `read_image`, though damage behind the header goes unseen.
    """
    with reasons(path):
        try:
            with open_image(path, preprocessing.page) as image:
                width, height = upright_size(*image.size, _orientation(image))
        except UnidentifiedImageError:
            require_tiff(path)
            stored_width, stored_height, orientation = tiff_size(path, preprocessing.page)
            check_pixels(stored_width, stored_height)
            width, height = upright_size(stored_width, stored_height, orientation)
        return cropped_size(width, height, preprocessing.crop)


def content_hash(path: Path) -> str:
    """SHA-256 of the file, 64 hex digits.

    Raises:
        ImageReadError: the file cannot be read.
    """
    try:
        require_file(path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise cannot_open(path, error) from error


def is_browser_ready(path: Path, *, preprocessing: Preprocessing = DEFAULT) -> bool:
    """Whether a browser shows the original bytes exactly as `read_image` decodes them.

    Raises:
        ImageReadError: the file cannot be read.
    """
    if not preprocessing.keeps_plain_pictures:
        return False
    with reasons(path):
        try:
            with open_image(path, preprocessing.page) as image:
                return (
                    image.mode in BROWSER_MODES.get(image.format or "", set())
                    and "transparency" not in image.info
                    and getattr(image, "n_frames", 1) == 1
                    and _orientation(image) == 1
                    and not _is_deep_color(image)
                )
        except UnidentifiedImageError:
            return False


def _read_raw(path: Path, preprocessing: Preprocessing, at_least: int | None = None) -> RawPicture:
    try:
        with open_image(path, preprocessing.page) as image:
            if not _is_for_tifffile(image, preprocessing):
                orientation = _orientation(image)
                if not _is_deep_color(image):
                    if at_least is not None:
                        image.draft(None, fit_within(*image.size, at_least))  # of JPEG only
                    return _raw_of_pillow(image, orientation)
                if preprocessing.page > 1:
                    raise RenderError("has more than 8 bits a channel, of which only page 1 can be read")
                return _raw_of_opencv(path, orientation)
    except UnidentifiedImageError:
        require_tiff(path)
    return read_tiff(path, preprocessing.page, preprocessing.bands, MAX_PIXELS)


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


def _is_deep_color(image: Image.Image) -> bool:
    """Whether Pillow would cut a picture of more than 8 bits a channel down to its high bytes."""
    if not isinstance(image, ImageFile.ImageFile) or image.mode not in {"RGB", "RGBA", "LA"} or not image.tile:
        return False
    return ";16" in str(image.tile[0][3])


def _is_for_tifffile(image: Image.Image, preprocessing: Preprocessing) -> bool:
    """Whether Pillow would cut a TIFF down: deep or signed values, or channels that it has no mode for."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    sample_formats = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
    samples = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    is_cut_down = max(bits) > 8 or set(sample_formats) != {1} or samples > 4 or preprocessing.bands is not None
    return is_cut_down and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) in PLAIN_PHOTOMETRICS


def _raw_of_pillow(image: Image.Image, orientation: int) -> RawPicture:
    if image.mode[0] in "IF":  # I, I;16, I;16B, F: one channel of more than 8 bits
        return RawPicture(np.asarray(image)[:, :, None], False, orientation)
    if image.mode in {"LA", "PA", "La", "RGBA", "RGBa"} or "transparency" in image.info:
        return RawPicture(np.asarray(image.convert("RGBA")), True, orientation)
    if image.mode in {"L", "1"}:
        return RawPicture(np.asarray(image.convert("L"))[:, :, None], False, orientation)
    return RawPicture(np.asarray(image.convert("RGB")), False, orientation)


def _raw_of_opencv(path: Path, orientation: int) -> RawPicture:
    """Colour of more than 8 bits a channel in formats other than TIFF; Pillow has checked the header."""
    try:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except OSError as error:
        raise cannot_open(path, error) from error
    except cv2.error as error:
        raise ImageReadError(f"{path.name} cannot be decoded: {one_line(error)}") from error
    if pixels is None or pixels.ndim not in (2, 3):
        raise ImageReadError(
            f"{path.name} cannot be decoded: damaged, or of a kind that neither Pillow nor OpenCV reads"
        )
    if pixels.ndim == 2:
        return RawPicture(pixels[:, :, None], False, orientation)
    order = [2, 1, 0, 3] if pixels.shape[2] == 4 else [2, 1, 0]
    return RawPicture(pixels[:, :, order], pixels.shape[2] == 4, orientation)
