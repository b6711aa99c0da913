"""The embedded extractor on synthetic images: shapes, alignment, determinism, damaged weights."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.base import ChannelGroup
from models.efficientnet_lite import CELL, GROUPS, POOLED_GROUPS, POOLED_SIZES_PX, EfficientNetLiteExtractor
from models.errors import WeightsError
from models.geometry import make_grid

GREY = 90


@pytest.fixture(scope="module")
def extractor() -> EfficientNetLiteExtractor:
    return EfficientNetLiteExtractor(resize=256)


def noise(width: int, height: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def texture(side: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth coloured blobs: something to see at every depth of the network."""
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 16, axis=0), 16, axis=1)


def group_slices() -> dict[str, slice]:
    ends = np.cumsum([group.size for group in GROUPS])
    return {group.name: slice(int(end) - group.size, int(end)) for group, end in zip(GROUPS, ends, strict=True)}


@pytest.mark.parametrize(("width", "height"), [(16, 16), (640, 480), (300, 900), (1, 1), (2000, 20)])
def test_extract__grid_of_the_geometry(extractor: EfficientNetLiteExtractor, width: int, height: int) -> None:
    grid = make_grid(width, height, extractor.info)
    [features] = extractor.extract([noise(width, height)])
    assert features.patches.shape == (grid.height, grid.width, extractor.info.dim)
    assert features.pooled.shape == (extractor.info.pooled_dim,)
    assert features.patches.dtype == features.pooled.dtype == np.float32
    assert np.isfinite(features.patches).all()
    assert np.isfinite(features.pooled).all()
    assert np.abs(features.patches).max() < np.finfo(np.float16).max


def test_info__groups_partition_the_channels(extractor: EfficientNetLiteExtractor) -> None:
    assert sum(group.size for group in GROUPS) == extractor.info.dim
    assert sum(group.size for group in POOLED_GROUPS) == extractor.info.pooled_dim
    assert extractor.info.patch_size == CELL
    assert len(extractor.info.weights_hash) == len(extractor.info.options["lite2_weights_hash"]) == 16
    assert len({group.name for group in POOLED_GROUPS}) == len(POOLED_GROUPS)


def test_extract__same_result_alone_and_among_others(extractor: EfficientNetLiteExtractor) -> None:
    images = [noise(200, 120), noise(64, 64, seed=1), noise(120, 200, seed=2)]
    together = extractor.extract(images)
    for image, features in zip(images, together, strict=True):
        [alone] = extractor.extract([image])
        np.testing.assert_array_equal(alone.patches, features.patches)
        np.testing.assert_array_equal(alone.pooled, features.pooled)


def test_extract__pooled_alone_is_the_same(extractor: EfficientNetLiteExtractor) -> None:
    image = noise(200, 120)
    [alone], [both] = extractor.extract([image], patches=False), extractor.extract([image])
    assert alone.patches is None
    np.testing.assert_array_equal(alone.pooled, both.pooled)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 500), (900, 40), (31, 64)])
def test_pooled__no_padding_reaches_it(extractor: EfficientNetLiteExtractor, width: int, height: int) -> None:
    seen: list[torch.Tensor] = []
    hooks = [
        net._conv_stem.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
        for net in extractor._pooled_nets.values()
    ]
    image = np.full((height, width, 3), GREY, dtype=np.uint8)
    [features] = extractor.extract([image], patches=False)
    for hook in hooks:
        hook.remove()
    for size_px, pixels in zip(POOLED_SIZES_PX, seen, strict=True):
        grid = make_grid(width, height, replace(extractor.info, resize=size_px))
        assert pixels.shape[2:] == (grid.input_height, grid.input_width)
        assert all(side % extractor.info.size_multiple == 0 for side in pixels.shape[2:])
        assert (pixels == pixels[:, :, :1, :1]).all(), "every pixel that the network sees is one of the image"
    neighbours = [noise(500, 300), image, noise(64, 900, seed=1)]
    np.testing.assert_array_equal(extractor.extract(neighbours, patches=False)[1].pooled, features.pooled)


def test_extract__two_instances_agree(extractor: EfficientNetLiteExtractor) -> None:
    other = EfficientNetLiteExtractor(resize=256)
    assert other.info == extractor.info
    image = texture(256)
    np.testing.assert_array_equal(other.extract([image])[0].patches, extractor.extract([image])[0].patches)


def test_extract__bright_square_changes_its_own_cells_most() -> None:
    # Near the middle of a large image, for the deepest block sees some 300 pixels far and the border would cut it off.
    extractor = EfficientNetLiteExtractor(resize=512)
    plain = np.full((512, 512, 3), GREY, dtype=np.uint8)
    square = plain.copy()
    square[200:232, 248:280] = 255
    change = np.abs(extractor.extract([square])[0].patches - extractor.extract([plain])[0].patches)
    # In pixels. A map shifted by the arithmetic of the padding would be off by 3.5, 7.5 and 15.5.
    tolerance_px = {"block4": 2, "block10": 5, "block15_leading": 8, "block15_further": 10, "lab": 1}
    for name, part in group_slices().items():
        mass = (change[..., part] ** 2).sum(axis=2)
        v, u = (CELL * (np.indices(mass.shape) + 0.5) * mass / mass.sum()).sum(axis=(1, 2))
        assert abs(u - 264) < tolerance_px[name], name
        assert abs(v - 216) < tolerance_px[name], name


def test_extract__vertical_edge_is_seen_at_its_column(extractor: EfficientNetLiteExtractor) -> None:
    image = np.full((192, 256, 3), GREY, dtype=np.uint8)
    image[:, 96:] = 220
    lightness = extractor.extract([image])[0].patches[..., group_slices()["lab"].start]
    steps = np.abs(np.diff(lightness, axis=1))
    assert (steps.argmax(axis=1) == 96 // CELL - 1).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_extract__mirrored_image_gives_mirrored_lab_and_nearby_deep_features(
    extractor: EfficientNetLiteExtractor, axis: int
) -> None:
    image = texture(256)
    straight = extractor.extract([image])[0].patches
    mirrored = np.flip(extractor.extract([np.ascontiguousarray(np.flip(image, axis))])[0].patches, axis)
    lab = group_slices()["lab"]
    np.testing.assert_allclose(straight[..., lab], mirrored[..., lab], atol=1e-3)
    deep = slice(0, lab.start)
    flat = straight[..., deep] - straight[..., deep].mean(axis=(0, 1))
    other = mirrored[..., deep] - mirrored[..., deep].mean(axis=(0, 1))
    # A map off its grid by half a cell would match its mirror image better one deep cell away than in place.
    offset = 16 // CELL
    in_place = (flat * other).sum()
    for shift in (-offset, offset):
        assert in_place > (flat * np.roll(other, shift, axis)).sum()


def test_pooled__nearly_blind_to_mirroring(extractor: EfficientNetLiteExtractor) -> None:
    image = noise(200, 150)
    mirror_image, other_image = np.ascontiguousarray(image[:, ::-1]), np.full_like(image, 200)
    [straight, mirrored, other] = [
        features.pooled for features in extractor.extract([image, mirror_image, other_image])
    ]
    assert np.linalg.norm(straight - mirrored) < 0.25 * np.linalg.norm(straight - other)


def test_extract__not_an_rgb_image(extractor: EfficientNetLiteExtractor) -> None:
    with pytest.raises(ValueError, match=r"expected an RGB image .* found \(8, 8\)"):
        extractor.extract([np.zeros((8, 8), dtype=np.uint8)])


def test_init__leaves_no_trace_of_training(extractor: EfficientNetLiteExtractor) -> None:
    extractor.extract([noise(64, 64)])
    assert torch.is_grad_enabled()


def test_init__resize_too_small() -> None:
    with pytest.raises(ValueError, match="resize is 16 px"):
        EfficientNetLiteExtractor(resize=16)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(Path("x"), protocol=2)])
def test_init__damaged_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="does not hold the weights"):
        EfficientNetLiteExtractor(weights_path=path)


def test_init__weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="pip install"):
        EfficientNetLiteExtractor(weights_path=path)


def test_init__missing_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        EfficientNetLiteExtractor(weights_path=tmp_path / "absent.pth")


def test_init__earlier_recipe_has_the_identity_and_the_values_of_its_time(extractor: EfficientNetLiteExtractor) -> None:
    earlier = EfficientNetLiteExtractor(resize=256, recipe=2)
    assert earlier.info == replace(
        extractor.info,
        pooled_dim=3200,
        pooled_groups=(
            ChannelGroup("block15_224", 320),
            ChannelGroup("head_224", 1280),
            ChannelGroup("block15_384", 320),
            ChannelGroup("head_384", 1280),
        ),
        options={"pooled_sizes_px": [224, 384], "recipe": 2},
    )
    image = noise(200, 120)
    [then], [now] = earlier.extract([image]), extractor.extract([image])
    np.testing.assert_array_equal(then.patches, now.patches)
    np.testing.assert_array_equal(then.pooled, now.pooled[:3200])
    assert EfficientNetLiteExtractor(resize=256, recipe=1).info == extractor.info
