"""A frozen network as a feature extractor: images in, features by the contract of models/base.py out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.base import ExtractorInfo, Features
from models.geometry import make_grid
from models.networks import FrozenNetwork, NetworkOutput
from models.runtime import Runtime, choose_batch_size, choose_runtime, make_runner, requested_runtime, to_device

RECIPE = 2
"""Part of the identity: to be raised whenever the same weights and options come to give other values."""


@dataclass(frozen=True)
class Pretrained:
    """A network with everything that tells its features from those of another."""

    name: str
    network: FrozenNetwork
    weights_hash: str
    """First 16 hex digits of the SHA-256 of the weights."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the pictures that it was trained on, by channel, for values 0..1."""
    resize: int
    """Longest side for patch features unless told otherwise, pixels."""
    pooled_size_px: int
    """Longest side for the pooled vector: what the network is evaluated at for whole images."""


class BackboneExtractor:
    """Patch features at `resize`; the pooled vector from a small picture of its own.

    Args:
        resize: Longest side in pixels; None takes the network's own.
        batch_size: Images of equal input size that go through the network together; None chooses by device. Another
            number may change the last bits of the results; how many images there are does not.
        precision: float32 or bfloat16; None takes what is fastest here.
        runtime: How the network is run; None takes what FEWCLICK_RUNTIME says, or the fastest of the precision.
    """

    def __init__(
        self,
        pretrained: Pretrained,
        *,
        resize: int | None = None,
        batch_size: int | None = None,
        precision: str | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        network = pretrained.network
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device).eval().requires_grad_(False)
        self._runtime = choose_runtime(self._network, self._device, runtime or requested_runtime(), precision)
        self._forward = make_runner(self._network, self._device, self._runtime)
        cells = ((resize or pretrained.resize) // network.cell_px) ** 2
        self._batch_size = batch_size or choose_batch_size(self._device, cells)
        self._mean = torch.tensor(pretrained.mean, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(pretrained.std, device=self._device).view(1, 3, 1, 1)
        self._pooled_size_px = pretrained.pooled_size_px
        self._info = ExtractorInfo(
            name=pretrained.name,
            weights_hash=pretrained.weights_hash,
            patch_size=network.cell_px,
            size_multiple=network.size_multiple,
            dim=sum(group.size for group in network.groups),
            pooled_dim=sum(group.size for group in network.summary_groups),
            resize=resize or pretrained.resize,
            groups=network.groups,
            pooled_groups=network.summary_groups,
            options={
                "mean": list(pretrained.mean),
                "std": list(pretrained.std),
                "layers": list(network.layers),
                "pooled_sizes_px": [pretrained.pooled_size_px],
                "recipe": RECIPE,
                **self._runtime.options,
            },
        )

    @property
    def info(self) -> ExtractorInfo:
        """Identity of the features it makes."""
        return self._info

    @property
    def runtime(self) -> Runtime:
        """How the network is run."""
        return self._runtime

    @property
    def batch_size(self) -> int:
        """See `FeatureExtractor`."""
        return self._batch_size

    @torch.inference_mode()
    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        """See `FeatureExtractor`."""
        nothing = [None] * len(images)
        maps = self._run(images, self._info.resize, lambda output: output.patch_map) if patches else nothing
        vectors = self._run(images, self._pooled_size_px, lambda output: output.summary) if pooled else nothing
        return [Features(*both) for both in zip(maps, vectors, strict=True)]

    def forward_exactly(self, pixels: Tensor) -> NetworkOutput:
        """One pass over (B, 3, H, W) of values 0..1 that have their final size: what conformance is checked with."""
        with torch.inference_mode():
            return self._forward((pixels.to(self._device) - self._mean) / self._std)

    def _run(
        self, images: list[npt.NDArray[np.uint8]], size_px: int, part: Callable[[NetworkOutput], Tensor]
    ) -> list[npt.NDArray[np.float32]]:
        """That part of the output for each image at a longest side of `size_px`."""
        info = replace(self._info, resize=size_px)
        results: dict[int, npt.NDArray[np.float32]] = {}
        for (width, height), indices in self._batches(images, info):
            # Kernels differ between batch sizes in the last bits, so the size is always the same.
            filled = indices + indices[-1:] * (self._batch_size - len(indices))
            pixels = self._prepare([images[index] for index in filled], width, height)
            values = part(self._forward(pixels)).float().cpu().numpy()
            # Copied where there are several, so that one that is kept does not keep the others in memory.
            results |= {index: values[place].copy() for place, index in enumerate(indices)}
        return [results[index] for index in range(len(images))]

    def _batches(
        self, images: list[npt.NDArray[np.uint8]], info: ExtractorInfo
    ) -> Iterator[tuple[tuple[int, int], list[int]]]:
        """Input width and height with the indices of the images that have them, at most `batch_size` at once."""
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            grid = make_grid(image.shape[1], image.shape[0], info)
            by_size.setdefault((grid.input_width, grid.input_height), []).append(index)
        for size, indices in by_size.items():
            for start in range(0, len(indices), self._batch_size):
                yield size, indices[start : start + self._batch_size]

    def _prepare(self, images: list[npt.NDArray[np.uint8]], width: int, height: int) -> Tensor:
        """(B, 3, height, width) on the device, resized without aliasing and normalised."""
        # Pillow's bicubic filter widens with the factor, so nothing aliases.
        size, bicubic = (width, height), Image.Resampling.BICUBIC
        resized = np.stack([np.array(Image.fromarray(image).resize(size, bicubic)) for image in images])
        pixels = to_device(torch.from_numpy(resized), self._device).permute(0, 3, 1, 2).float() / 255
        return (pixels - self._mean) / self._std
