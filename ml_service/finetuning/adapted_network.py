"""A frozen network with LoRA factors that learn (Hu et al. 2022, https://arxiv.org/abs/2106.09685), through peft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from db.queries.session_info import AdaptedPart, FinetuneSettings
from ml_service.errors import FinetuneError
from models.backbone import Pretrained
from models.lora import FACTOR_A, FACTOR_B
from models.networks import VisionTransformer

LAYERS = {
    AdaptedPart.QUERY: ("q_proj", "query"),
    AdaptedPart.KEY: ("k_proj", "key"),
    AdaptedPart.VALUE: ("v_proj", "value"),
    AdaptedPart.OUT: ("o_proj", "attention.output.dense"),
    AdaptedPart.MLP: ("up_proj", "down_proj", "gate_proj", "mlp.fc1", "mlp.fc2", "weights_in", "weights_out"),
}
"""How versions of transformers call them, each below its block."""
PEFT_NAMES = {".lora_A.default.weight": FACTOR_A, ".lora_B.default.weight": FACTOR_B}
PEFT_PREFIX = "base_model.model."


class AdaptedNetwork:
    """Features with gradients: of points on the map of patches, or of whole pictures.

    On a GPU in bfloat16, and each block is computed twice rather than kept; on a processor in float32, as it is.
    """

    def __init__(self, pretrained: Pretrained, settings: FinetuneSettings, device: torch.device) -> None:
        # Heavy, and an optional extra: nothing but a run needs it.
        from peft import LoraConfig, get_peft_model

        network = pretrained.network
        if not isinstance(network, VisionTransformer):
            raise FinetuneError(
                f"found {pretrained.name}, expected a DINOv3 or DINOv2 ViT: only those can be fine-tuned"
            )
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=adapted_layers(network, settings.targets),
            bias="none",
        )
        self.scale = settings.alpha / settings.rank
        # Any: a model of peft takes more than a network of ours, and forwards what ours is called with.
        self._model: Any = get_peft_model(network, config).to(device).eval()
        self._device = device
        self._mean = torch.tensor(pretrained.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(pretrained.std, device=device).view(1, 3, 1, 1)
        if device.type == "cuda":
            for block in network.blocks:
                # The random state is kept, so that dropout is the same both times.
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The factors that learn, by the names of adapter files."""
        named = self._model.named_parameters()
        return {_file_name(name): parameter for name, parameter in named if parameter.requires_grad}

    @property
    def weights(self) -> list[nn.Parameter]:
        """All of the network's, frozen ones too."""
        return list(self._model.parameters())

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Dropout is at work meanwhile, that of the factors alone."""
        dropouts = [module for name, module in self._model.named_modules() if "lora_dropout" in name]
        for module in dropouts:
            module.train()
        try:
            yield
        finally:
            for module in dropouts:
                module.eval()

    def point_features(self, pixels: npt.NDArray[np.uint8], places: Sequence[Tensor]) -> Tensor:
        """(N, D) of the map at the places of each of B pictures, one picture after the other.

        Args:
            pixels: (B, H, W, 3).
            places: (n, 2) each, as shares 0..1 of width and height.
        """
        patch_map = self._forward(pixels).patch_map.float().permute(0, 3, 1, 2)
        sampled = [
            # As models.geometry.sample_bilinear: between the centres of cells, the border's value beyond them.
            functional.grid_sample(
                patch_map[index : index + 1],
                (2 * shares.to(self._device) - 1)[None, None],
                mode="bilinear",
                padding_mode="border",
                align_corners=False,
            )[0, :, 0].T
            for index, shares in enumerate(places)
        ]
        return torch.cat(sampled)

    def cells(self, pixels: npt.NDArray[np.uint8], limit: int) -> Tensor:
        """(M, D): at most `limit` cells of each picture, evenly spread."""
        patch_map = self._forward(pixels).patch_map.float().flatten(1, 2)
        count = patch_map.shape[1]
        chosen = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(np.int64))
        cells: Tensor = patch_map[:, torch.from_numpy(chosen).to(self._device)].flatten(0, 1)
        return cells

    def picture_features(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """(B, P) of whole pictures."""
        summary: Tensor = self._forward(pixels).summary.float()
        return summary

    def _forward(self, pixels: npt.NDArray[np.uint8]) -> Any:
        values = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            return self._model((values - self._mean) / self._std)


def adapted_layers(network: VisionTransformer, targets: Sequence[AdaptedPart]) -> list[str]:
    """Names of the linear layers of its blocks that the targets mean.

    Raises:
        FinetuneError: it has none of them.
    """
    endings = tuple(f".{ending}" for target in targets for ending in LAYERS[target])
    found = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.startswith("blocks.") and name.endswith(endings)
    ]
    if not found:
        raise FinetuneError(
            f"finetune.targets: found {', '.join(targets)}, but the blocks of this network have no such layers: "
            "write `targets: [q, v]`"
        )
    return found


def _file_name(peft_name: str) -> str:
    name = peft_name.removeprefix(PEFT_PREFIX)
    for ending, factor in PEFT_NAMES.items():
        name = name.replace(ending, factor)
    return name
