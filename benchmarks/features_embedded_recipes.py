"""Variants of the embedded features as functions of one image, for `benchmarks.features_embedded`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from models.base import ChannelGroup
from models.efficientnet_lite import (
    CELL,
    GROUPS,
    POOLED_GROUPS,
    POOLED_SIZES_PX,
    POOLED_VIEWS,
    EfficientNetLiteExtractor,
)

RgbImage = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

RIDGE_SIGMAS_PX = (1.0, 2.0, 4.0)
LIGHTNESS_UNIT = 50.0
_DERIVATIVES = (np.array([0.0, 1.0, 0.0]), np.array([-0.5, 0.0, 0.5]), np.array([1.0, -2.0, 1.0]))
"""Kernels of the derivatives of order 0, 1 and 2."""


@dataclass(frozen=True)
class Recipe:
    """One way to describe an image."""

    name: str
    groups: tuple[ChannelGroup, ...]
    compute: Callable[[RgbImage], FloatArray]
    """(H, W, 3) uint8 -> (Hp, Wp, D) patch features or (P,) pooled ones."""


def dense_recipes() -> list[Recipe]:
    """What is delivered, and what was tried instead."""
    ridges = ChannelGroup("ridges", 2 * len(RIDGE_SIGMAS_PX))
    deep = ("block15_leading", "block15_further")
    return [
        Recipe("delivered", GROUPS, _patches),
        *(_without(name) for name in ("block4", "block10", "block15_further", "lab")),
        Recipe("mean with the mirror image", GROUPS, _mean_with_mirror),
        Recipe("all at 384 px", GROUPS, lambda image: _patches(image, 384)),
        Recipe("all at 768 px", GROUPS, lambda image: _patches(image, 768)),
        Recipe("block 15 at 384 px", GROUPS, lambda image: _with_groups_at(image, deep, 384)),
        Recipe("block 4 at 768 px", GROUPS, lambda image: _with_groups_at(image, ("block4",), 768)),
        Recipe("plus ridges", (*GROUPS, ridges), _plus_ridges),
    ]


def pooled_recipes() -> list[Recipe]:
    """What is delivered, and what was tried instead."""
    heads = tuple(group for group in POOLED_GROUPS if "head" in group.name)
    lite0 = tuple(group for group in POOLED_GROUPS if group.name.startswith("lite0"))
    views = [tuple(g for g in POOLED_GROUPS if g.name.endswith(f"_{size_px}")) for size_px in POOLED_SIZES_PX]
    return [
        Recipe("delivered", POOLED_GROUPS, _pooled),
        Recipe("Lite0 alone (recipe 2)", lite0, _pooled_part(lite0)),
        *(
            Recipe(f"{network.name} at {size_px} px alone", groups, _pooled_part(groups))
            for (network, size_px), groups in zip(POOLED_VIEWS, views, strict=True)
        ),
        Recipe("heads alone", heads, _pooled_part(heads)),
        Recipe("mean with the mirror image", POOLED_GROUPS, _pooled_mean_with_mirror),
    ]


@lru_cache(maxsize=4)
def _extractor(resize: int) -> EfficientNetLiteExtractor:
    return EfficientNetLiteExtractor(resize=resize)


def _patches(image: RgbImage, resize: int = EfficientNetLiteExtractor.DEFAULT_RESIZE) -> FloatArray:
    patches = _extractor(resize).extract([image], pooled=False)[0].patches
    if patches is None:
        raise ValueError("the extractor gave no patch features")
    return patches


def _pooled(image: RgbImage) -> FloatArray:
    pooled = _extractor(EfficientNetLiteExtractor.DEFAULT_RESIZE).extract([image], patches=False)[0].pooled
    if pooled is None:
        raise ValueError("the extractor gave no pooled features")
    return pooled


def _mirror(image: RgbImage) -> RgbImage:
    return np.ascontiguousarray(image[:, ::-1])


def _mean_with_mirror(image: RgbImage) -> FloatArray:
    return (_patches(image) + _patches(_mirror(image))[:, ::-1]) * np.float32(0.5)


def _pooled_mean_with_mirror(image: RgbImage) -> FloatArray:
    return (_pooled(image) + _pooled(_mirror(image))) * np.float32(0.5)


def _slices(groups: Sequence[ChannelGroup]) -> dict[str, slice]:
    ends = np.cumsum([group.size for group in groups])
    return {group.name: slice(int(end) - group.size, int(end)) for group, end in zip(groups, ends, strict=True)}


def _without(name: str) -> Recipe:
    part = _slices(GROUPS)[name]
    left = tuple(group for group in GROUPS if group.name != name)
    return Recipe(f"without {name}", left, lambda image: np.delete(_patches(image), part, axis=2))


def _with_groups_at(image: RgbImage, names: Sequence[str], resize: int) -> FloatArray:
    """As delivered, with some groups seen at another size and brought to the delivered grid."""
    patches, other = _patches(image), _patches(image, resize)
    for name in names:
        part = _slices(GROUPS)[name]
        patches[..., part] = _to_grid(other[..., part], patches)
    return patches


def _to_grid(maps: FloatArray, like: FloatArray) -> FloatArray:
    """Maps (H, W, C) on the grid of `like`; a layer at a time, for OpenCV takes few channels at once."""
    size = (like.shape[1], like.shape[0])
    way = cv2.INTER_AREA if maps.shape[0] > like.shape[0] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(np.ascontiguousarray(m), size, interpolation=way) for m in np.moveaxis(maps, 2, 0)], 2)


def _ridges(image: RgbImage, like: FloatArray) -> FloatArray:
    """Eigenvalues of the Hessian of lightness at a few scales, larger first, (Hp, Wp, 2 x scales)."""
    size = (like.shape[1] * CELL, like.shape[0] * CELL)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lightness = np.asarray(cv2.cvtColor(resized, cv2.COLOR_RGB2LAB)[..., 0] / LIGHTNESS_UNIT, dtype=np.float32)
    maps = []
    for sigma in RIDGE_SIGMAS_PX:
        smooth = cv2.GaussianBlur(lightness, (0, 0), sigma)
        xx, xy, yy = (
            cv2.sepFilter2D(smooth, cv2.CV_32F, _DERIVATIVES[along], _DERIVATIVES[down])
            for along, down in ((2, 0), (1, 1), (0, 2))
        )
        mean, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        maps += [(mean + spread) * sigma**2, (mean - spread) * sigma**2]
    return _to_grid(np.stack(maps, axis=2), like)


def _plus_ridges(image: RgbImage) -> FloatArray:
    patches = _patches(image)
    return np.concatenate([patches, _ridges(image, patches)], axis=2)


def _pooled_part(groups: Sequence[ChannelGroup]) -> Callable[[RgbImage], FloatArray]:
    slices = _slices(POOLED_GROUPS)
    return lambda image: np.concatenate([_pooled(image)[slices[group.name]] for group in groups])
