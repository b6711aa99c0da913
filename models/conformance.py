"""Whether an extractor is what it should be: published values for known networks, the contract for all others."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.backbone import BackboneExtractor
from models.base import ExtractorInfo, FeatureExtractor, Features
from models.errors import ImageReadError, WeightsError
from models.geometry import make_grid
from models.pretrained import IMAGENET_MEAN
from models.published import GOLDEN, GOLDEN_IMAGE, GOLDEN_IMAGE_SIZE, GOLDEN_SIZE_PX, GoldenValues

TOLERANCE = 1e-3
"""Absolute, and relative to values above 1. JPEG decoders and processors differ by less, other weights by far more."""
MIN_SIMILARITY = 0.999
"""Cosine, of features by the runtime in use with those of plain float32."""
CONTRACT_SIZES = ((64, 48), (33, 70))
"""Width and height of the pictures that the contract is checked with: neither square nor of whole cells."""


@dataclass(frozen=True)
class Verdict:
    """How far a network is from its published values."""

    name: str
    largest_difference: float
    where: str
    """Which of the values differs most."""
    passed: bool


def golden_values(info: ExtractorInfo) -> GoldenValues:
    """The published values of the network.

    Raises:
        WeightsError: there are none.
    """
    on_web_pictures = info.options.get("mean") == list(IMAGENET_MEAN)
    if info.name not in GOLDEN or not on_web_pictures:
        variant = "" if on_web_pictures else " for satellite pictures"
        raise WeightsError(
            f"no values are published for {info.name}{variant}, only for {', '.join(GOLDEN)}: check it with "
            "`fewclick features --verify --extractor NAME`, which looks at the contract alone"
        )
    return GOLDEN[info.name]


def verify_golden(
    extractor: BackboneExtractor, image: npt.NDArray[np.uint8], golden: GoldenValues | None = None
) -> Verdict:
    """Compare with the published values, or with `golden`.

    Args:
        extractor: With its own choice of layers, so that the last group of the patch map is the last layer.
        image: The golden image, upright RGB.

    Raises:
        ImageReadError: it is another image.
        WeightsError: nothing is published for this network.
    """
    golden = golden or golden_values(extractor.info)
    height, width = image.shape[:2]
    if (width, height) != GOLDEN_IMAGE_SIZE:
        raise ImageReadError(
            f"the image has {width} x {height} pixels, expected {' x '.join(map(str, GOLDEN_IMAGE_SIZE))}: it has to "
            f"be {GOLDEN_IMAGE}"
        )
    output = extractor.forward_exactly(golden_pixels(image))
    last = extractor.info.groups[-1].size
    found = {"CLS": output.summary[0], "first patch": output.patch_map[0, 0, 0, -last:]}
    differences: dict[str, tuple[float, bool]] = {}
    for name, expected in (("CLS", golden.cls), ("first patch", golden.first_patch)):
        for channel, (value, wanted) in enumerate(zip(found[name].tolist(), expected, strict=False)):
            difference = abs(value - wanted)
            differences[f"{name}, channel {channel}"] = (difference, difference <= TOLERANCE * max(1, abs(wanted)))
    where = max(differences, key=lambda key: differences[key][0])
    return Verdict(
        extractor.info.name, differences[where][0], where, passed=all(is_near for _, is_near in differences.values())
    )


def runtime_similarity(extractor: BackboneExtractor, plain: BackboneExtractor, image: npt.NDArray[np.uint8]) -> float:
    """Mean cosine between the patch features of the same network run in two ways."""
    pixels = golden_pixels(image)
    used, reference = (one.forward_exactly(pixels).patch_map.cpu() for one in (extractor, plain))
    return float(nn.functional.cosine_similarity(used, reference, dim=3).mean())


def golden_pixels(image: npt.NDArray[np.uint8]) -> Tensor:
    """(1, 3, 224, 224) of values 0..1, resized as the publishers did it: in floats, bilinear, without aliasing."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    return nn.functional.interpolate(
        pixels, size=(GOLDEN_SIZE_PX, GOLDEN_SIZE_PX), mode="bilinear", align_corners=False, antialias=True
    )


def contract_faults(extractor: FeatureExtractor) -> list[str]:
    """Each way in which the extractor breaks the contract of models/base.py, in a line; none if it keeps it."""
    info = extractor.info
    faults = _info_faults(info)
    if not isinstance(extractor.batch_size, int) or extractor.batch_size < 1:
        faults.append(f"batch_size is {extractor.batch_size!r}, expected a whole number of at least 1")
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in CONTRACT_SIZES]
    together = extractor.extract(images)
    if len(together) != len(images):
        return [*faults, f"extract gave {len(together)} results for {len(images)} images"]
    for image, features in zip(images, together, strict=True):
        faults += _shape_faults(info, image, features)
    (alone,) = extractor.extract(images[-1:])
    (patches_only,) = extractor.extract(images[-1:], pooled=False)
    (pooled_only,) = extractor.extract(images[-1:], patches=False)
    if patches_only.pooled is not None or pooled_only.patches is not None:
        faults.append("extract gave features that were not asked for, expected None in their place")
    same = together[-1]
    faults += _difference_faults("patches", same.patches, alone.patches, "the other images of the list")
    faults += _difference_faults("pooled", same.pooled, alone.pooled, "the other images of the list")
    faults += _difference_faults("patches", same.patches, patches_only.patches, "whether pooled is asked for")
    faults += _difference_faults("pooled", same.pooled, pooled_only.pooled, "whether patches are asked for")
    return faults


def _info_faults(info: ExtractorInfo) -> list[str]:
    faults = []
    partitions = {"groups": (info.groups, info.dim), "pooled_groups": (info.pooled_groups, info.pooled_dim)}
    for name, (groups, dim) in partitions.items():
        total = sum(group.size for group in groups)
        if groups and total != dim:
            faults.append(f"info.{name} have {total} channels together, expected {dim}")
    if info.size_multiple % info.patch_size:
        faults.append(f"info.size_multiple {info.size_multiple} is no multiple of info.patch_size {info.patch_size}")
    try:
        if ExtractorInfo.from_json(json.loads(json.dumps(info.to_json()))) != info:
            faults.append("info does not survive JSON: use lists, numbers and text in info.options")
    except TypeError as error:
        faults.append(f"info cannot be written as JSON ({error})")
    return faults


def _shape_faults(info: ExtractorInfo, image: npt.NDArray[np.uint8], features: Features) -> list[str]:
    grid = make_grid(image.shape[1], image.shape[0], info)
    expected = {"patches": (grid.height, grid.width, info.dim), "pooled": (info.pooled_dim,)}
    faults = []
    for name, shape in expected.items():
        array = getattr(features, name)
        found = None if array is None else (array.shape, str(array.dtype))
        if found != (shape, "float32"):
            faults.append(
                f"{name} of a {image.shape[1]} x {image.shape[0]} image: found {found}, expected {shape} of float32"
            )
        elif not np.isfinite(array).all():
            faults.append(f"{name} of a {image.shape[1]} x {image.shape[0]} image hold infinity or NaN")
    return faults


def _difference_faults(
    name: str, one: npt.NDArray[np.float32] | None, other: npt.NDArray[np.float32] | None, cause: str
) -> list[str]:
    if one is None or other is None or one.shape != other.shape or np.array_equal(one, other):
        return []
    return [f"{name} depend on {cause}: they differ by up to {np.abs(one - other).max():.2g}, expected equal bits"]
