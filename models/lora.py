"""Adapters in networks: merged into the weights, so that a fine-tuned network costs what the frozen one costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from models.adapter_files import REMEDY, AdapterFile, read_adapter
from models.errors import WeightsError

FACTOR_A, FACTOR_B = ".lora_A", ".lora_B"


def load_adapter(path: Path, base_hash: str) -> tuple[AdapterFile, dict[str, Tensor]]:
    """An adapter for the network whose weights have that hash, and its factors.

    Raises:
        WeightsError: missing, damaged, not of this program, or made for other weights.
    """
    adapter = read_adapter(path)
    if adapter.base.weights_hash != base_hash:
        raise WeightsError(
            f"adapter_path: {path} belongs to {adapter.base.name} with weights {adapter.base.weights_hash}, "
            f"weights_path holds weights {base_hash}: put the old weights back, or {REMEDY}"
        )
    try:
        return adapter, safetensors.torch.load(adapter.read_tensors())
    except SafetensorError as error:
        raise WeightsError(f"adapter {path} holds no tensors ({error}): {REMEDY}") from error


@torch.no_grad()
def merge_factors(network: nn.Module, factors: Mapping[str, Tensor], scale: float) -> None:
    """Add scale x B A to the weights that the factors name.

    Raises:
        WeightsError: the network has no such layer, or one of another shape.
    """
    names = {name.removesuffix(FACTOR_A).removesuffix(FACTOR_B) for name in factors}
    for name in sorted(names):
        try:
            layer = network.get_submodule(name)
            b, a = factors[name + FACTOR_B], factors[name + FACTOR_A]
        except (AttributeError, KeyError) as error:
            raise WeightsError(f"adapter: layer {name} does not fit the network ({error}): {REMEDY}") from error
        weight = layer.weight if isinstance(layer, nn.Linear) else None
        if weight is None or (b.shape[0], a.shape[1]) != tuple(weight.shape) or b.shape[1] != a.shape[0]:
            found = None if weight is None else tuple(weight.shape)
            raise WeightsError(
                f"adapter: factors {tuple(b.shape)} and {tuple(a.shape)} do not fit layer {name} with weights {found}: "
                f"{REMEDY}"
            )
        weight += scale * (b.to(weight) @ a.to(weight))


def stack_factors(
    first: Mapping[str, Tensor], first_scale: float, second: Mapping[str, Tensor], second_scale: float
) -> dict[str, Tensor]:
    """One adapter of scale 1 that does what both do one after the other: its factors lie side by side."""
    stacked: dict[str, Tensor] = {}
    for factors, scale in ((first, first_scale), (second, second_scale)):
        for name, value in factors.items():
            axis = 0 if name.endswith(FACTOR_A) else 1
            part = value if axis == 0 else scale * value
            stacked[name] = torch.cat([stacked[name], part], dim=axis) if name in stacked else part
    return {name: value.contiguous() for name, value in stacked.items()}
