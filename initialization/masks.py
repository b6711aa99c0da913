"""Masks of existing labels as a few points: well inside the regions, and always the same ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, UnidentifiedImageError

from initialization.errors import SourceError
from models.image_opening import DECODER_ERRORS, READABLE_FORMATS
from models.preprocessing import Crop
from models.region_shapes import Mask, mask_of

POINTS_PER_CLASS = 5
VALUES_NAME = "values.json"
LEGEND_NAME = "classes.json"
"""Beside the masks that a session exports."""
BACKGROUND = "background"
IGNORED_VALUE = 255
NO_CROP = Crop()

MaskPixels = npt.NDArray[np.integer[Any]]


class MaskError(Exception):
    """A mask that cannot be used; the message is one line."""


@dataclass(frozen=True)
class MaskValues:
    """Which class a pixel value means; a value that is in neither mapping is unknown."""

    by_index: dict[int, str]
    by_color: dict[tuple[int, int, int], str]


def default_values(classes: list[tuple[str, str]]) -> MaskValues:
    """The rule without a values.json; `classes` are names with colours, in order.

    With a class called background, 0 is that class and v is the v-th of the others; without one, 0 is unlabelled and
    v is the v-th class. 255 is unlabelled, except that it means the foreground where there is only one.
    """
    names = [name for name, _ in classes]
    background = next((name for name in names if name.lower() == BACKGROUND), None)
    foreground = [name for name in names if name != background]
    by_index = {value: name for value, name in enumerate(foreground, start=1) if value < IGNORED_VALUE}
    if background is not None:
        by_index[0] = background
    if len(foreground) == 1:
        by_index[IGNORED_VALUE] = foreground[0]
    return MaskValues(by_index, {_rgb(color): name for name, color in classes})


def read_values(labels_dir: Path, classes: list[tuple[str, str]]) -> MaskValues:
    """What labels_dir/values.json says, {"0": "background", "#FF0000": "car"}, or classes.json of an export.

    Without either, the default rule.

    Raises:
        SourceError: the file is not such a mapping.
    """
    for name in (VALUES_NAME, LEGEND_NAME):
        if (labels_dir / name).is_file():
            return _values_of(labels_dir / name)
    return default_values(classes)


def _values_of(path: Path) -> MaskValues:
    expected = 'expected {"0": "background", "#FF0000": "car"}: pixel values or colours with class names'
    try:
        data = _flat(json.loads(path.read_text(encoding="utf-8-sig")))
    except ValueError as error:
        raise SourceError(f"labels_dir: {path} is not valid JSON ({error}), {expected}") from error
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data.values()):
        raise SourceError(f"labels_dir: {path}: {expected}")
    by_index, by_color = {}, {}
    for key, name in data.items():
        if key.isdecimal():
            by_index[int(key)] = name
        else:
            try:
                by_color[_rgb(key)] = name
            except ValueError as error:
                raise SourceError(f"labels_dir: {path}: found the key {key!r}, {expected}") from error
    return MaskValues(by_index, by_color)


def _flat(data: object) -> object:
    """The mapping in {"classes": [{"value": 0, "name": "background"}]}, as an export has it; others as they are."""
    if isinstance(data, dict) and isinstance(data.get("classes"), list):
        return {str(entry["value"]): entry["name"] for entry in data["classes"] if {"value", "name"} <= entry.keys()}
    return data


def read_mask(path: Path, size: tuple[int, int], crop: Crop = NO_CROP) -> MaskPixels:
    """(H, W) of pixel values for grey, palette, 1-bit and 16-bit masks; (H, W, 3) for colour ones.

    Args:
        size: (width, height) of the upright image, pixels, once cropped. A mask of another size than this and that of
            the whole image is not decoded: it could be of any size.
        crop: What the session takes off its images, and here off masks of whole ones.

    Raises:
        MaskError: not an image, one without a plain meaning, or one of another size.
    """
    try:
        with Image.open(path, formats=READABLE_FORMATS) as opened:
            whole = (size[0] + crop.left + crop.right, size[1] + crop.top + crop.bottom)
            if opened.size not in (size, whole):
                width, height = opened.size
                raise MaskError(f"has {width} x {height} pixels, the upright image {size[0]} x {size[1]}")
            image: Image.Image = opened
            if image.mode in {"RGBA", "LA"}:
                image = image.convert(image.mode.removesuffix("A"))
            if image.mode not in {"1", "L", "P", "RGB"} and not image.mode.startswith("I"):
                raise MaskError(f"is of mode {image.mode}, expected grey, palette or RGB")
            pixels = np.asarray(image)
            if opened.size != size:
                pixels = pixels[crop.top : crop.top + size[1], crop.left : crop.left + size[0]]
            return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels
    except UnidentifiedImageError as error:
        raise MaskError(f"cannot be read: its content is none of {', '.join(READABLE_FORMATS)}") from error
    except DECODER_ERRORS as error:
        raise MaskError(f"cannot be read: {' '.join(str(error).split())}") from error


def mask_points(
    mask: MaskPixels, values: MaskValues, count: int = POINTS_PER_CLASS
) -> dict[str, list[tuple[float, float]]]:
    """Up to `count` points (x, y) for each class in a mask, in its pixels.

    Raises:
        MaskError: the mask holds nothing known.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for name, region in _regions(mask, values):
        points.setdefault(name, []).extend(inner_points(region, count))
    return points


def mask_regions(mask: MaskPixels, values: MaskValues) -> list[tuple[str, Mask]]:
    """The pixels of each class in a mask.

    Raises:
        MaskError: the mask holds nothing known.
    """
    masks = ((name, mask_of(region)) for name, region in _regions(mask, values))
    return [(name, shape) for name, shape in masks if shape is not None]


def inner_points(region: npt.NDArray[np.bool_], count: int) -> list[tuple[float, float]]:
    """Up to `count` pixel centres (x, y) in a region (H, W): far from its border and from each other, no chance."""
    # The frame of zeros makes the image's edge a border too.
    framed = np.pad(region.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    rows, columns = np.ogrid[: region.shape[0], : region.shape[1]]
    points: list[tuple[float, float]] = []
    for _ in range(count):
        row, column = divmod(int(np.argmax(depth)), depth.shape[1])
        if depth[row, column] <= 0:
            break
        points.append((column + 0.5, row + 0.5))
        distance = np.hypot(rows - row, columns - column)
        depth = np.minimum(depth, distance)
    return points


def _regions(mask: MaskPixels, values: MaskValues) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The pixels (H, W) of each class in a mask; raises as `mask_points`."""
    if mask.ndim == 3 and (mask == mask[:, :, :1]).all() and not _has_color(mask, values):
        mask = mask[:, :, 0]  # a grey mask saved as RGB
    if mask.ndim == 2:
        found = [(name, mask == value) for value, name in values.by_index.items()]
    else:
        found = [(name, (mask == np.array(color)).all(axis=2)) for color, name in values.by_color.items()]
    regions = [(name, region) for name, region in found if region.any()]
    if not regions:
        raise MaskError(f"holds no known class, found the values {_some_values(mask)}")
    return regions


def _has_color(mask: MaskPixels, values: MaskValues) -> bool:
    return any((mask == np.array(color)).all(axis=2).any() for color in values.by_color)


def _some_values(mask: MaskPixels) -> str:
    found = np.unique(mask) if mask.ndim == 2 else np.unique(mask.reshape(-1, mask.shape[2]), axis=0)
    return ", ".join(str(value) for value in found[:6].tolist()) + ", ..." * (len(found) > 6)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = ImageColor.getrgb(color)[:3]
    return red, green, blue
