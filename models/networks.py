"""Frozen networks behind one interface: pixels in, a map of features and one vector for the whole picture out.

Each wraps a model of Hugging Face transformers and knows which of its layers are wanted. Nothing here knows of images,
files or sessions: models/backbone.py turns images into pixels and results into features.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.base import ChannelGroup
from models.errors import WeightsError


class NetworkOutput(NamedTuple):
    """What one forward pass gives for B pictures of one size."""

    patch_map: Tensor
    """(B, Hp, Wp, D): cells of `cell_px`, the wanted layers one after the other."""
    summary: Tensor
    """(B, P): the whole picture."""


class FrozenNetwork(nn.Module):
    """Base of the networks: `forward` is the whole computation and depends on nothing but the pixels."""

    layers: tuple[int, ...]
    """Layers whose outputs make the patch map, in the order of its channels."""
    groups: tuple[ChannelGroup, ...]
    """Of the patch map, one for each layer."""
    summary_groups: tuple[ChannelGroup, ...]
    cell_px: int
    """Side of a cell of the patch map, pixels."""
    size_multiple: int
    """Both sides of the pictures must be multiples of this, pixels."""

    @abstractmethod
    def forward(self, pixels: Tensor) -> NetworkOutput:
        """One pass over normalised pixels (B, 3, H, W)."""


class VisionTransformer(FrozenNetwork):
    """DINOv2 or DINOv3 ViT. The last norm follows every wanted layer, as Meta's `get_intermediate_layers` does it.

    Args:
        layers: By default the last one alone.
    """

    def __init__(self, model: PreTrainedModel, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        config = model.config
        self.embeddings: nn.Module = model.get_submodule("embeddings")
        self.rope: nn.Module | None = getattr(model, "rope_embeddings", None)
        self.blocks = _module_list(model, "layer")
        self.norm: nn.Module = model.get_submodule("norm" if hasattr(model, "norm") else "layernorm")
        self.layers = checked_layers(layers, len(self.blocks), (len(self.blocks) - 1,))
        dim = int(config.hidden_size)
        is_default = self.layers == (len(self.blocks) - 1,)
        self.groups = tuple(ChannelGroup("patch" if is_default else f"layer{layer}", dim) for layer in self.layers)
        self.summary_groups = (ChannelGroup("cls", dim), ChannelGroup("mean_patch", dim))
        self.cell_px = self.size_multiple = int(config.patch_size)
        self._prefix_tokens = 1 + int(getattr(config, "num_register_tokens", 0))

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """The summary is the CLS token and the mean patch token of the last layer, in this order."""
        height, width = pixels.shape[2] // self.cell_px, pixels.shape[3] // self.cell_px
        tokens = self.embeddings(pixels)
        positions = {} if self.rope is None else {"position_embeddings": self.rope(pixels)}
        wanted = {}
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, **positions)
            if index in self.layers:
                wanted[index] = self.norm(tokens)[:, self._prefix_tokens :]
        maps = [wanted[index].unflatten(1, (height, width)) for index in self.layers]
        last = self.norm(tokens)
        summary = torch.cat([last[:, 0], last[:, self._prefix_tokens :].mean(dim=1)], dim=1)
        return NetworkOutput(torch.cat(maps, dim=3), summary)


class ConvNeXt(FrozenNetwork):
    """DINOv3 ConvNeXt, whose four stages have cells of 4, 8, 16 and 32 pixels.

    Each wanted stage passes the norm that reads it in the network: that of the next stage, or the last norm. Coarser
    stages are laid over the grid of the finest one.

    Args:
        layers: Stages. By default the last two: the cells are then those of the ViTs. The last stage alone would be
            half as fine, a third one would quadruple the cells and with them the disk.
    """

    DEFAULT_LAYERS = (2, 3)

    def __init__(self, model: PreTrainedModel, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.stages = _module_list(model, "stages")
        self.layer_norm: nn.Module = model.get_submodule("layer_norm")
        dims = [int(dim) for dim in model.config.hidden_sizes]
        self.layers = checked_layers(layers, len(dims), self.DEFAULT_LAYERS)
        self.groups = tuple(ChannelGroup(f"stage{layer}", dims[layer]) for layer in self.layers)
        self.summary_groups = (ChannelGroup("cls", dims[-1]), ChannelGroup("mean_patch", dims[-1]))
        self.cell_px = 4 << min(self.layers)
        self.size_multiple = 4 << (len(dims) - 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """The summary is the norm of the mean, which transformers calls CLS, and the mean of the normed cells."""
        outputs = []
        x = pixels
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        cells = self.layer_norm(x.permute(0, 2, 3, 1))
        size = (pixels.shape[2] // self.cell_px, pixels.shape[3] // self.cell_px)
        maps = [self._level(outputs[layer], layer, size) for layer in self.layers]
        summary = torch.cat([self.layer_norm(x.mean(dim=(2, 3))), cells.mean(dim=(1, 2))], dim=1)
        return NetworkOutput(torch.cat(maps, dim=3), summary)

    def _level(self, output: Tensor, stage: int, size: tuple[int, int]) -> Tensor:
        """(B, Hp, Wp, C) of (B, C, h, w)"""
        if stage + 1 < len(self.stages):
            normed = self.stages[stage + 1].get_submodule("downsample_layers.0")(output)
        else:
            normed = self.layer_norm(output.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if normed.shape[2:] != size:
            normed = nn.functional.interpolate(normed, size=size, mode="bilinear", align_corners=False)
        level: Tensor = normed.permute(0, 2, 3, 1)
        return level


def _module_list(model: nn.Module, name: str) -> nn.ModuleList:
    """The list of that name, on whichever level a version of transformers keeps it."""
    return next(
        module
        for path, module in model.named_modules()
        if path.split(".")[-1] == name and isinstance(module, nn.ModuleList)
    )


def checked_layers(layers: tuple[int, ...] | None, count: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """`layers`, or the default; WeightsError where the network has no such layers."""
    if layers is None:
        return default
    wrong = [layer for layer in layers if not 0 <= layer < count]
    if wrong or not layers or len(set(layers)) < len(layers):
        raise WeightsError(
            f"layers: found {list(layers)}, expected different numbers from 0 to {count - 1}, as the network has "
            f"{count} layers: leave `layers` out to take {list(default)}"
        )
    return layers
