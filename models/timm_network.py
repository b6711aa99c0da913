"""Any network that timm knows by name (https://github.com/huggingface/pytorch-image-models): `extractor: timm:NAME`.

timm and torchvision are the optional extra `timm`; nothing else of the product needs them.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.backbone import BackboneExtractor, Pretrained
from models.base import ChannelGroup
from models.errors import WeightsError
from models.extractor_settings import TIMM_PREFIX, ExtractorSettings
from models.networks import FrozenNetwork, NetworkOutput, checked_layers
from models.weights_file import KEPT_DIGITS, hash_files

DEFAULT_RESIZE = 1024
PROBED_CELLS = (3, 4)
"""Height and width of the probe, in units of the coarsest cell: not square, and of no size that training knows."""

# What timm, torch and the hub raise on unknown names, missing or damaged files, and no connection.
_LOADING_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError)
_READ_ERRORS = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError)
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")


class TimmNetwork(FrozenNetwork):
    """A network of timm, by its `forward_intermediates`.

    Args:
        layers: Of those that timm calls intermediates. By default the last one where all have the same cells, as in
            vision transformers, else the last two.

    Raises:
        WeightsError: no such layers, or the network takes pictures of one size only.
    """

    def __init__(self, model: nn.Module, name: str, size_px: int, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.model: Any = model
        maps, _ = self._intermediates(torch.zeros(1, 3, size_px, size_px), None)
        cells = [size_px // level.shape[2] for level in maps]
        is_plain = len(set(cells)) == 1
        default = tuple(range(len(maps)))[-1 if is_plain else -2 :]
        self.layers = checked_layers(layers, len(maps), default)
        self.groups = tuple(ChannelGroup(f"layer{layer}", maps[layer].shape[1]) for layer in self.layers)
        self.cell_px = min(cells[layer] for layer in self.layers)
        self.size_multiple = max(cells)
        summary = self._probe(name)
        self.summary_groups = (
            ChannelGroup("head", summary.shape[1] - maps[-1].shape[1]),
            ChannelGroup("mean_patch", maps[-1].shape[1]),
        )

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """The summary is what the classifier would read, and the mean of the last layer wanted or not."""
        last = len(self.model.feature_info) - 1
        wanted = sorted({*self.layers, last})
        maps, final = self._intermediates(pixels, wanted)
        by_layer = dict(zip(wanted, maps, strict=True))
        size = (pixels.shape[2] // self.cell_px, pixels.shape[3] // self.cell_px)
        levels = [_at_size(by_layer[layer], size).permute(0, 2, 3, 1) for layer in self.layers]
        head = self.model.forward_head(final, pre_logits=True)
        return NetworkOutput(torch.cat(levels, dim=3), torch.cat([head, by_layer[last].mean(dim=(2, 3))], dim=1))

    def _intermediates(self, pixels: Tensor, indices: list[int] | None) -> tuple[list[Tensor], Tensor]:
        final, maps = self.model.forward_intermediates(pixels, indices=indices, norm=True, output_fmt="NCHW")
        return list(maps), final

    @torch.inference_mode()
    def _probe(self, name: str) -> Tensor:
        """The summary of a picture of an odd size."""
        height, width = (side * self.size_multiple for side in PROBED_CELLS)
        try:
            summary: Tensor = self(torch.zeros(1, 3, height, width)).summary
        except (RuntimeError, AssertionError, ValueError) as error:
            raise WeightsError(
                f"extractor: {name} does not take a picture of {width} x {height} ({_first_line(error)}): choose a "
                "network that takes any size, for example a ConvNet or a ViT with `dynamic_img_size`"
            ) from error
        return summary


def load_timm(settings: ExtractorSettings) -> BackboneExtractor:
    """The network with its own pretrained weights, or with those in `weights_path`.

    Raises:
        WeightsError: timm or torchvision is not installed or does not fit, or the name or the weights cannot be used.
    """
    name = settings.extractor or ""
    timm = _import_timm(name)
    model = _create(timm, name, settings).eval()
    config = model.pretrained_cfg
    size_px = int(config["input_size"][-1])
    with torch.inference_mode():
        network = TimmNetwork(model, name, size_px, settings.layers)
    path = settings.weights_path
    return BackboneExtractor(
        Pretrained(
            name=name,
            network=network,
            weights_hash=_hash_tensors(model) if path is None else hash_files([path])[:KEPT_DIGITS],
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            resize=DEFAULT_RESIZE,
            pooled_size_px=size_px,
        ),
        resize=settings.resize,
        precision=settings.precision,
    )


def _import_timm(name: str) -> Any:
    for package in ("torchvision", "timm"):
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise WeightsError(
                f"extractor: {name} needs the packages timm and torchvision, found no {error.name}: "
                "pip install 'fewclick[timm]' (https://pytorch.org/get-started/locally tells which torchvision fits)"
            ) from error
        except (ImportError, RuntimeError, OSError) as error:
            raise WeightsError(
                f"extractor: {name} needs a {package} that fits torch {torch.__version__}, found one that cannot be "
                f"imported ({_first_line(error)}): see https://pytorch.org/get-started/locally"
            ) from error
    return module


def _create(timm: Any, name: str, settings: ExtractorSettings) -> Any:
    model_name = name.removeprefix(TIMM_PREFIX)
    if not timm.is_model(model_name):
        known = timm.list_models()
        near = difflib.get_close_matches(model_name.split(".")[0], known, n=1, cutoff=0.5)
        hint = f"did you mean {TIMM_PREFIX}{near[0]}?" if near else "timm.list_models() prints those that there are"
        raise WeightsError(f"extractor: timm {timm.__version__} knows no network {model_name!r}: {hint}")
    options: dict[str, Any] = {"pretrained": True, "num_classes": 0}
    if settings.weights_path is not None:
        if not settings.weights_path.is_file():
            raise WeightsError(f"weights_path: no file {settings.weights_path}: leave it out to let timm download")
        # Read here: timm's own reading may run code that a file carries (torch.load without weights_only).
        options["pretrained_cfg_overlay"] = {"state_dict": read_state(settings.weights_path)}
    try:
        try:
            # Vision transformers need it to take other sizes than they were trained with; others do not know it.
            model = timm.create_model(model_name, dynamic_img_size=True, **options)
        except TypeError:
            model = timm.create_model(model_name, **options)
    except _LOADING_ERRORS as error:
        raise WeightsError(
            f"extractor: {name} cannot be loaded ({_first_line(error)}): check the connection and the name, or name a "
            "downloaded file of its weights in weights_path"
        ) from error
    model.pretrained_cfg.pop("state_dict", None)  # else it keeps all tensors twice
    return model


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights, unwrapped as timm does it; no code in it is run.

    Raises:
        WeightsError: it cannot be read, holds more than data, or no tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        raise WeightsError(
            f"weights_path: {path} is damaged or holds more than tensors ({_first_line(error)}): name a .safetensors "
            "file, or a .pth file of a state dictionary"
        ) from error
    wrapped = content if isinstance(content, Mapping) else {}
    inner = next((wrapped[key] for key in _WRAPPERS if isinstance(wrapped.get(key), Mapping)), wrapped)
    state = {str(name).removeprefix("module."): value for name, value in inner.items() if isinstance(value, Tensor)}
    if not state:
        raise WeightsError(
            f"weights_path: {path} holds a {type(content).__name__} without tensors, expected a state dictionary"
        )
    return state


def _at_size(level: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(level.shape[2:]) == size:
        return level
    return nn.functional.interpolate(level, size=size, mode="bilinear", align_corners=False)


def _hash_tensors(model: nn.Module) -> str:
    """First hex digits of the SHA-256 of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.float().numpy()).tobytes())
    return digest.hexdigest()[:KEPT_DIGITS]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
