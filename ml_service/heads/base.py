"""What a head is: logits from the features of one image or of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml_service.heads.scaler import FeatureScaler

FloatArray = npt.NDArray[np.float32]
State = Mapping[str, npt.NDArray[np.generic]]
SCALER_PREFIX = "scaler."


class Head(Protocol):
    """The trained part. Deterministic; K classes in the order it was trained with. Scaling is part of it."""

    def logits(self, features: FloatArray) -> FloatArray:
        """Logits of whole images from features as stored: (Hp, Wp, D) -> (Hp, Wp, K), or vectors (N, P) -> (N, K)."""
        ...

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything needed to build it again, as arrays."""
        ...


@runtime_checkable
class HasConstants(Protocol):
    """A module that a checkpoint must hold more of than its weights."""

    def constants(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named arrays."""
        ...


class TorchHead:
    """A trained module behind a scaler.

    The module maps samples to logits; where whole maps need another way, it has a method `whole`.
    """

    def __init__(self, scaler: FeatureScaler, module: nn.Module, *, unit_norm: bool) -> None:
        self.scaler = scaler
        self.module = module
        self.unit_norm = unit_norm

    @torch.no_grad()
    def logits(self, features: FloatArray) -> FloatArray:
        """As in `Head`."""
        whole = getattr(self.module, "whole", self.module)
        output: FloatArray = whole(prepare_inputs(features, self.scaler, unit_norm=self.unit_norm)).numpy()
        return output

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """As in `Head`; `load_torch_head` is its inverse."""
        parameters = {name: value.detach().numpy().copy() for name, value in self.module.state_dict().items()}
        scaler = {"mean": self.scaler.mean, "scale": self.scaler.scale, "groups": np.array(self.scaler.group_sizes)}
        constants = self.module.constants() if isinstance(self.module, HasConstants) else {}
        return parameters | constants | {SCALER_PREFIX + name: value for name, value in scaler.items()}


def load_torch_head(state: State, module: nn.Module, *, unit_norm: bool) -> TorchHead:
    """The head that gave `state`, in a fresh `module` of the same make."""
    scaler = FeatureScaler(
        np.asarray(state[f"{SCALER_PREFIX}mean"], dtype=np.float32),
        np.asarray(state[f"{SCALER_PREFIX}scale"], dtype=np.float32),
        tuple(int(size) for size in np.asarray(state[f"{SCALER_PREFIX}groups"], dtype=np.int64)),
    )
    parameters = {name: value for name, value in state.items() if not name.startswith(SCALER_PREFIX)}
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in parameters.items()})
    return TorchHead(scaler, module, unit_norm=unit_norm)


def prepare_inputs(inputs: FloatArray, scaler: FeatureScaler, *, unit_norm: bool) -> Tensor:
    """Scaled inputs (..., D) as the module takes them."""
    scaled = scaler.transform(inputs)
    return torch.from_numpy(np.ascontiguousarray(scaler.unit_norm(scaled) if unit_norm else scaled))


@torch.no_grad()
def soften(module: nn.Module, temperature: float) -> None:
    """Divide the logits of a module by a temperature; they come from its last linear layer."""
    last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
    for parameter in last.parameters():
        parameter.div_(temperature)


def make_linear(dim: int, n_classes: int) -> nn.Linear:
    """A linear layer that starts at zero: no class is preferred, and nothing is random."""
    layer = nn.Linear(dim, n_classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def make_mlp(dim: int, width: int, n_classes: int, generator: torch.Generator) -> nn.Sequential:
    """One hidden layer and a linear one, along the last axis: (..., D) -> (..., K)."""
    return nn.Sequential(make_hidden(dim, width, generator), nn.GELU(), make_linear(width, n_classes))


def make_hidden(dim: int, width: int, generator: torch.Generator) -> nn.Linear:
    """A hidden layer drawn from `generator` alone, so that the global random state plays no part."""
    layer = nn.Linear(dim, width)
    nn.init.normal_(layer.weight, std=dim**-0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
