"""What is done to every image of a session before anything sees it: page, crop, bands, contrast.

"The image" of a session is what preprocessing gives: coordinates count from its top-left corner. A preprocessing other
than the default stands in `ExtractorInfo.options`, so that it is part of the identity of the features, and every
process finds it there. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.base import ExtractorInfo, FeatureExtractor, Features

OPTION = "preprocessing"
"""Key in `ExtractorInfo.options`, and in the YAML file."""
MAX_CROP_PX = 1_000_000
MAX_BAND = 65_535
MAX_PAGE = 1_000_000


@dataclass(frozen=True)
class Crop:
    """Pixels taken off each side of the upright image, for example the information bar of a microscope."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(frozen=True)
class Percentiles:
    """Contrast: these percentiles of each image become black and white."""

    low: float
    high: float


@dataclass(frozen=True)
class ValueRange:
    """Contrast: these values become black and white in every image, so that all share one scale."""

    low: float
    high: float


Contrast = Literal["auto", "none"] | Percentiles | ValueRange


@dataclass(frozen=True)
class Preprocessing:
    """The default leaves an image as `models.images.read_image` describes it."""

    crop: Crop = field(default_factory=Crop)
    bands: tuple[int, ...] | None = None
    """One band (grey) or three (red, green, blue), counted from 1; None takes the first ones."""
    contrast: Contrast = "auto"
    page: int = 1
    """Of a file with several pages or frames, counted from 1."""

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the default, as plain JSON values."""
        data: dict[str, Any] = {}
        if self.crop != Crop():
            data["crop"] = {side: px for side, px in dataclasses.asdict(self.crop).items() if px}
        if self.bands is not None:
            data["bands"] = list(self.bands)
        match self.contrast:
            case "auto":
                pass
            case Percentiles(low, high):
                data["contrast"] = [float(low), float(high)]
            case ValueRange(low, high):
                data["contrast"] = {"min": float(low), "max": float(high)}
            case name:
                data["contrast"] = name
        if self.page != 1:
            data["page"] = self.page
        return data

    @classmethod
    def from_json(cls, data: object) -> Preprocessing:
        """Inverse of `to_json`, for what people write too.

        Raises:
            ValueError: names the key, what was found and what was expected.
        """
        known = _mapping(data, OPTION, ("crop", "bands", "contrast", "page"))
        return cls(
            crop=_crop(known.get("crop")),
            bands=_bands(known.get("bands")),
            contrast=_contrast(known.get("contrast")),
            page=_whole(known.get("page", 1), f"{OPTION}.page", 1, MAX_PAGE),
        )

    @property
    def keeps_plain_pictures(self) -> bool:
        """Whether an 8-bit RGB picture of one page comes out as it is."""
        return self.crop == Crop() and self.bands is None and self.contrast in ("auto", "none")

    @property
    def key(self) -> str:
        """Tells the pictures of one file apart in caches; empty for the default."""
        data = self.to_json()
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8] if data else ""


DEFAULT = Preprocessing()


class PreprocessedExtractor:
    """An extractor whose features are known to come from preprocessed images; the images come to it as such."""

    def __init__(self, extractor: FeatureExtractor, preprocessing: Preprocessing) -> None:
        self._extractor = extractor
        options = {**extractor.info.options, OPTION: preprocessing.to_json()}
        self._info = dataclasses.replace(extractor.info, options=options)

    @property
    def info(self) -> ExtractorInfo:
        """See `FeatureExtractor`."""
        return self._info

    @property
    def batch_size(self) -> int:
        """See `FeatureExtractor`."""
        return self._extractor.batch_size

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        """See `FeatureExtractor`."""
        return self._extractor.extract(images, patches=patches, pooled=pooled)


def with_preprocessing(extractor: FeatureExtractor, preprocessing: Preprocessing) -> FeatureExtractor:
    """The extractor with the preprocessing as part of its identity; the default leaves it as it is."""
    return extractor if preprocessing == DEFAULT else PreprocessedExtractor(extractor, preprocessing)


def preprocessing_of(options: Mapping[str, Any]) -> Preprocessing:
    """What `ExtractorInfo.options` say.

    Raises:
        ValueError: they were written by a newer version.
    """
    return Preprocessing.from_json(options.get(OPTION))


def _crop(data: object) -> Crop:
    sides = _mapping(data, f"{OPTION}.crop", ("left", "top", "right", "bottom"))
    return Crop(**{side: _whole(px, f"{OPTION}.crop.{side}", 0, MAX_CROP_PX) for side, px in sides.items()})


def _bands(data: object) -> tuple[int, ...] | None:
    if data is None:
        return None
    key = f"{OPTION}.bands"
    if not isinstance(data, list | tuple) or len(data) not in (1, 3):
        raise ValueError(
            f"{key}: found {data!r}, expected a list of one band (grey) or three (red, green, blue), such as [4, 3, 2]"
        )
    return tuple(_whole(band, key, 1, MAX_BAND) for band in data)


def _contrast(data: object) -> Contrast:
    key = f"{OPTION}.contrast"
    expected = "expected auto, none, [low_percentile, high_percentile] or {min: VALUE, max: VALUE}"
    if data is None or data == "auto":
        return "auto"
    if data == "none":
        return "none"
    if isinstance(data, list | tuple) and len(data) == 2:
        low, high = (_number(value, key) for value in data)
        if not 0 <= low < high <= 100:
            raise ValueError(f"{key}: found {[low, high]}, expected two percentiles with 0 <= low < high <= 100")
        return Percentiles(low, high)
    if isinstance(data, Mapping):
        ends = _mapping(data, key, ("min", "max"))
        if len(ends) != 2:
            raise ValueError(f"{key}: found {data!r}, {expected}")
        low, high = _number(ends["min"], key), _number(ends["max"], key)
        if not low < high:
            raise ValueError(f"{key}: found min {low} and max {high}, expected min below max")
        return ValueRange(low, high)
    raise ValueError(f"{key}: found {data!r}, {expected}")


def _mapping(data: object, key: str, known: tuple[str, ...]) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise ValueError(f"{key}: found {data!r}, expected the keys {', '.join(known)}")
    for name in data:
        if name not in known:
            near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"unknown key '{key}.{name}': {hint}")
    return dict(data)


def _whole(value: object, key: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{key}: found {value!r}, expected a whole number from {low} to {high}")
    return value


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key}: found {value!r}, expected a number")
    return float(value)
