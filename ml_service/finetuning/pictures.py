"""The pictures of a plan as the network takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml_service.errors import FinetuneError
from ml_service.finetuning.plan import Plan, PlannedImage
from models.geometry import make_grid
from models.images import read_image
from models.preprocessing import preprocessing_of

CACHE_BYTES = 1 << 30
"""Resized pictures kept in memory; what exceeds this is read anew in every epoch."""


class Pictures:
    """Resized as for extraction, read from the files when first asked for.

    Args:
        size_px: Longest side.
    """

    def __init__(self, plan: Plan, size_px: int, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._images = {image.id: image for image in plan.images}
        self._info = replace(plan.extractor, resize=size_px)
        self._preprocessing = preprocessing_of(plan.extractor.options)
        self._kept: dict[int, npt.NDArray[np.uint8]] = {}
        self._free_bytes = cache_bytes

    def size(self, image_id: int) -> tuple[int, int]:
        """(width, height) that the network sees, pixels."""
        grid = make_grid(self._images[image_id].width, self._images[image_id].height, self._info)
        return grid.input_width, grid.input_height

    def extent(self, image_id: int) -> tuple[int, int]:
        """(width, height) of the image itself, the frame of its points."""
        return self._images[image_id].width, self._images[image_id].height

    def read(self, image_ids: Sequence[int]) -> npt.NDArray[np.uint8]:
        """(B, H, W, 3) of images of one size.

        Raises:
            FinetuneError: a file was changed or cannot be found.
            ImageReadError: a file cannot be read.
        """
        return np.stack([self._read(image_id) for image_id in image_ids])

    def _read(self, image_id: int) -> npt.NDArray[np.uint8]:
        kept = self._kept.get(image_id)
        if kept is not None:
            return kept
        image = self._images[image_id]
        _check_content(image)
        pixels = read_image(Path(image.path), preprocessing=self._preprocessing)
        resized = np.array(Image.fromarray(pixels).resize(self.size(image_id), Image.Resampling.BICUBIC))
        if resized.nbytes <= self._free_bytes:
            self._free_bytes -= resized.nbytes
            self._kept[image_id] = resized
        return resized


def _check_content(image: PlannedImage) -> None:
    try:
        with Path(image.path).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise FinetuneError(f"image {image.id} cannot be read ({error.strerror}): put its file back") from error
    if found != image.content_hash:
        raise FinetuneError(
            f"the file of image {image.id} is not the one that its labels belong to: run init_session.py with "
            "--append, then start again"
        )
