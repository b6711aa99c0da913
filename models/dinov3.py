"""DINOv3 vision transformers through Hugging Face transformers, from either of the two forms in which Meta gives them.

A Hugging Face folder is loaded as it is. Meta's .pth holds the same tensors under other names, so a key map suffices
and no clone of Meta's repository is needed; architecture and sizes are read off the tensors' shapes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from models.base import ChannelGroup, ExtractorInfo, Features
from models.dinov3_weights import WHERE_TO_GET, LoadedWeights, load_folder, load_meta_file
from models.errors import WeightsError
from models.geometry import Grid, make_grid

DEFAULT_RESIZE = 1536
POOLED_SIZE_PX = 256
"""Longest side of the image that the pooled vector sees: what the network is evaluated at for whole images."""
KNOWN_SIZES = {(384, 12, False): "vits16", (384, 12, True): "vits16plus", (768, 12, False): "vitb16",
               (1024, 24, False): "vitl16", (1280, 32, True): "vith16plus", (4096, 40, True): "vit7b16"}  # fmt: skip


class DINOv3Extractor:
    """A frozen DINOv3 ViT: patch tokens as features; CLS token and mean patch token, in this order, as pooled vector.

    Works in float32 on every device, so that features do not depend on where they were made.
    """

    DEFAULT_RESIZE = DEFAULT_RESIZE

    def __init__(self, weights: LoadedWeights, *, resize: int = DEFAULT_RESIZE) -> None:
        config = weights.model.config
        patch_size = int(weights.model.embeddings.patch_embeddings.kernel_size[0])
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = _freeze(weights.model, self._device)
        self._prefix_tokens = 1 + config.num_register_tokens
        self._mean = torch.tensor(weights.mean, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(weights.std, device=self._device).view(1, 3, 1, 1)
        size = (config.hidden_size, config.num_hidden_layers, config.use_gated_mlp)
        self._info = ExtractorInfo(
            name=f"dinov3_{KNOWN_SIZES.get(size, f'vit{size[0]}x{size[1]}')}",
            weights_hash=weights.hash,
            patch_size=patch_size,
            size_multiple=patch_size,
            dim=config.hidden_size,
            pooled_dim=2 * config.hidden_size,
            resize=resize,
            groups=(ChannelGroup("patch", config.hidden_size),),
            pooled_groups=(ChannelGroup("cls", config.hidden_size), ChannelGroup("mean_patch", config.hidden_size)),
            options={
                "mean": list(weights.mean),
                "std": list(weights.std),
                "pooled_sizes_px": [POOLED_SIZE_PX],
                "recipe": 2,
            },
        )

    @classmethod
    def load(cls, weights_path: Path, *, dinov3_repo: Path | None = None, resize: int | None = None) -> DINOv3Extractor:
        """From Meta's .pth or a Hugging Face folder.

        Raises:
            WeightsError: missing, damaged, or not of a DINOv3 ViT; says what to get from where.
        """
        if dinov3_repo is not None and not dinov3_repo.is_dir():
            raise WeightsError(
                f"dinov3_repo: no folder {dinov3_repo}: write `dinov3_repo: null`, as no clone of Meta's repository is "
                "needed"
            )
        if not weights_path.exists():
            raise WeightsError(f"weights_path: no file or folder {weights_path}. {WHERE_TO_GET}")
        weights = load_folder(weights_path) if weights_path.is_dir() else load_meta_file(weights_path)
        return cls(weights, resize=resize or DEFAULT_RESIZE)

    @property
    def info(self) -> ExtractorInfo:
        """Identity of the features it makes."""
        return self._info

    @property
    def batch_size(self) -> int:
        """See `FeatureExtractor`."""
        return 1

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        """See `FeatureExtractor`."""
        return [
            Features(
                self._patch_map(image) if patches else None,
                self._pooled(image) if pooled else None,
            )
            for image in images
        ]

    @torch.inference_mode()
    def _patch_map(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(Hp, Wp, D)"""
        grid = make_grid(image.shape[1], image.shape[0], self._info)
        tokens = self._tokens(image, grid)[self._prefix_tokens :]
        patches: npt.NDArray[np.float32] = tokens.view(grid.height, grid.width, self._info.dim).cpu().numpy()
        return patches

    @torch.inference_mode()
    def _pooled(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(P,): CLS token and mean patch token of the small image."""
        grid = make_grid(image.shape[1], image.shape[0], replace(self._info, resize=POOLED_SIZE_PX))
        tokens = self._tokens(image, grid)
        vector: npt.NDArray[np.float32] = (
            torch.cat([tokens[0], tokens[self._prefix_tokens :].mean(dim=0)]).cpu().numpy()
        )
        return vector

    def _tokens(self, image: npt.NDArray[np.uint8], grid: Grid) -> Tensor:
        """(1 + registers + Hp * Wp, D) on the device."""
        pixels = self._prepare(image, grid.input_width, grid.input_height)
        tokens: Tensor = self._model(pixel_values=pixels).last_hidden_state[0]
        return tokens

    def _prepare(self, image: npt.NDArray[np.uint8], width: int, height: int) -> Tensor:
        """(1, 3, height, width), resized without aliasing and normalised."""
        # Pillow's bicubic filter widens with the factor, so nothing aliases.
        resized = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
        pixels = torch.from_numpy(resized).to(self._device).permute(2, 0, 1)[None].float() / 255
        return (pixels - self._mean) / self._std


def _freeze(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device).eval().requires_grad_(False)
