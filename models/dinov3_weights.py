"""DINOv3 weights in their two forms, as one transformers model: Meta's .pth and the Hugging Face folder.

Both hold the same tensors. Names in Meta's file (https://github.com/facebookresearch/dinov3): cls_token, mask_token,
storage_tokens, patch_embed.proj.*, rope_embed.periods, blocks.N.{norm1, attn.{qkv, proj}, ls1.gamma, norm2,
mlp.{fc1, fc2} or mlp.{w1, w2, w3}, ls2.gamma}, norm.*.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import DINOv3ViTConfig, DINOv3ViTModel
from transformers.utils import logging as transformers_logging

from models.errors import WeightsError

WHERE_TO_GET = (
    "Download Meta's .pth from https://ai.meta.com/dinov3/, or the folder from "
    "https://huggingface.co/facebook/dinov3-vits16-pretrain-lvd1689m (each after accepting the licence), and name it "
    "in weights_path. `weights_path: null` works at once, with the embedded extractor"
)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SATELLITE_MEAN, SATELLITE_STD = (0.430, 0.411, 0.296), (0.213, 0.156, 0.143)
LAYER_NORM_EPS = 1e-5
ROPE_BASE = 100.0
DEFAULT_HEAD_DIM = 64
PERIOD_TOLERANCE = 0.01
"""Relative; the file keeps the periods in bfloat16."""

NESTED_UNDER = ("teacher", "model", "state_dict", "student")
PREFIXES = ("module.", "backbone.")
# Not part of the network that makes features: heads, training-only buffers, and what is computed anew.
_IGNORED = re.compile(r"^(head|dino_head|ibot_head|local_cls_norm|cls_norm)\.|^rope_embed\.|\.bias_mask$")

_RENAMED = (
    (re.compile(r"^storage_tokens$"), "embeddings.register_tokens"),
    (re.compile(r"^(cls_token|mask_token)$"), r"embeddings.\1"),
    (re.compile(r"^patch_embed\.proj\."), "embeddings.patch_embeddings."),
    (re.compile(r"^blocks\.(\d+)\.attn\.proj\."), r"layer.\1.attention.o_proj."),
    (re.compile(r"^blocks\.(\d+)\.ls([12])\.gamma$"), r"layer.\1.layer_scale\2.lambda1"),
    (re.compile(r"^blocks\.(\d+)\.mlp\.fc1\."), r"layer.\1.mlp.up_proj."),
    (re.compile(r"^blocks\.(\d+)\.mlp\.fc2\."), r"layer.\1.mlp.down_proj."),
    (re.compile(r"^blocks\.(\d+)\.mlp\.w1\."), r"layer.\1.mlp.gate_proj."),
    (re.compile(r"^blocks\.(\d+)\.mlp\.w2\."), r"layer.\1.mlp.up_proj."),
    (re.compile(r"^blocks\.(\d+)\.mlp\.w3\."), r"layer.\1.mlp.down_proj."),
    (re.compile(r"^blocks\.(\d+)\.(norm[12])\."), r"layer.\1.\2."),
)


@dataclass(frozen=True)
class LoadedWeights:
    """A network with everything that tells its features from those of another."""

    model: DINOv3ViTModel
    hash: str
    """First 16 hex digits of the SHA-256 of the weights file or files."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the pictures that it was trained on, by channel, for values 0..1."""


def load_folder(folder: Path) -> LoadedWeights:
    """From a Hugging Face folder: config.json and *.safetensors, preprocessor_config.json if it is there.

    Raises:
        WeightsError: incomplete, damaged, or another model.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not files:
        lacking = "*.safetensors" if (folder / "config.json").is_file() else "config.json"
        raise WeightsError(
            f"weights_path: {folder} is no complete Hugging Face folder, it lacks {lacking}. {WHERE_TO_GET}"
        )
    kind = _read_json(folder / "config.json").get("model_type")
    if kind != "dinov3_vit":
        raise WeightsError(
            f"weights_path: {folder} holds a model of type {kind!r}, expected 'dinov3_vit'. {WHERE_TO_GET}"
        )
    # Any: parts of transformers have no annotations, and with output_loading_info the result is a pair.
    without_progress_bar: Any = transformers_logging.disable_progress_bar
    load: Any = DINOv3ViTModel.from_pretrained
    without_progress_bar()  # it would run into the one of the caller
    try:
        model, loading = load(
            folder,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise _damaged(folder, error) from error
    if loading["missing_keys"]:
        first = sorted(loading["missing_keys"])[0]
        raise _incomplete(folder, len(loading["missing_keys"]), first)
    preprocessor = folder / "preprocessor_config.json"
    picture = _read_json(preprocessor) if preprocessor.is_file() else {}
    return LoadedWeights(
        model=model,
        hash=_hash_files(files),
        mean=tuple(picture.get("image_mean", IMAGENET_MEAN)),
        std=tuple(picture.get("image_std", IMAGENET_STD)),
    )


def load_meta_file(path: Path) -> LoadedWeights:
    """From Meta's .pth; the pictures' mean and deviation follow from `sat493m` in the name, else they are ImageNet's.

    Raises:
        WeightsError: damaged, no state dictionary, or of another network.
    """
    state = _read_state(path)
    config = _config_of(path, state)
    config._attn_implementation = "sdpa"
    model = DINOv3ViTModel(config)
    renamed = _in_names_of(model, _rename(state, config))
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    missing = sorted(expected.keys() - renamed.keys())
    if missing:
        raise _incomplete(path, len(missing), missing[0])
    unknown = sorted(renamed.keys() - expected.keys())
    if unknown:
        raise _foreign(path, f"{len(unknown)} unknown tensors, the first is {unknown[0]}")
    for name, shape in expected.items():
        if renamed[name].shape != shape:
            raise _foreign(path, f"{name} of shape {tuple(renamed[name].shape)}, expected {tuple(shape)}")
    model.load_state_dict(renamed)
    is_satellite = "sat493m" in path.name.lower()
    return LoadedWeights(
        model=model,
        hash=_hash_files([path]),
        mean=SATELLITE_MEAN if is_satellite else IMAGENET_MEAN,
        std=SATELLITE_STD if is_satellite else IMAGENET_STD,
    )


def _read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of the file by Meta's names, unwrapped. Never runs code from the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in NESTED_UNDER if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise _foreign(path, f"a {type(content).__name__} without tensors")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return state


def _config_of(path: Path, state: Mapping[str, Tensor]) -> DINOv3ViTConfig:
    """Architecture and sizes, read off the shapes."""
    depth = 1 + max((int(name.split(".")[1]) for name in state if re.match(r"blocks\.\d+\.", name)), default=-1)
    needed = ("cls_token", "storage_tokens", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight")
    absent = [name for name in needed if name not in state]
    if depth == 0 or absent:
        hint = " (a ConvNeXt: only vision transformers can be used)" if "stages.0.0.gamma" in state else ""
        raise _foreign(path, f"no tensor {(absent or ['blocks'])[0]}{hint}")
    is_gated = "blocks.0.mlp.w1.weight" in state
    up = state.get("blocks.0.mlp.w1.weight" if is_gated else "blocks.0.mlp.fc1.weight")
    patch = state["patch_embed.proj.weight"]
    dim = state["cls_token"].shape[-1]
    periods = state.get("rope_embed.periods")
    head_dim = DEFAULT_HEAD_DIM if periods is None else 4 * periods.numel()
    if up is None or patch.ndim != 4 or dim % head_dim:
        raise _foreign(path, f"a width of {dim} with heads of {head_dim}")
    _check_periods(path, periods, head_dim)
    return DINOv3ViTConfig(
        hidden_size=dim,
        intermediate_size=up.shape[0],
        num_hidden_layers=depth,
        num_attention_heads=dim // head_dim,
        patch_size=patch.shape[-1],
        num_register_tokens=state["storage_tokens"].shape[1],
        use_gated_mlp=is_gated,
        hidden_act="silu" if is_gated else "gelu",
        query_bias="blocks.0.attn.qkv.bias" in state,
        value_bias="blocks.0.attn.qkv.bias" in state,
        key_bias=_has_key_bias(state, dim),
        proj_bias="blocks.0.attn.proj.bias" in state,
        mlp_bias=("blocks.0.mlp.w1.bias" if is_gated else "blocks.0.mlp.fc1.bias") in state,
        layer_norm_eps=LAYER_NORM_EPS,
        rope_theta=ROPE_BASE,
    )


def _check_periods(path: Path, periods: Tensor | None, head_dim: int) -> None:
    """The network computes the periods itself, in float32; those in the file only tell whether it is the same one."""
    if periods is None:
        return
    expected = ROPE_BASE ** torch.arange(0, 1, 4 / head_dim, dtype=torch.float32)
    if not torch.allclose(periods.float(), expected, rtol=PERIOD_TOLERANCE, atol=0):
        raise _foreign(path, f"rotary periods up to {periods.max():.1f}, expected {expected.max():.1f}")


def _masked_bias(state: Mapping[str, Tensor], block: str) -> Tensor:
    """Bias (3D,) of query, key and value. Where Meta's file has a mask, the key's third counts as zero."""
    bias = state[f"{block}.attn.qkv.bias"].clone()
    if f"{block}.attn.qkv.bias_mask" in state:
        third = bias.numel() // 3
        bias[third : 2 * third] = 0
    return bias


def _has_key_bias(state: Mapping[str, Tensor], dim: int) -> bool:
    blocks = [name.removesuffix(".attn.qkv.bias") for name in state if name.endswith(".attn.qkv.bias")]
    return any(bool(_masked_bias(state, block)[dim : 2 * dim].any()) for block in blocks)


def _rename(state: Mapping[str, Tensor], config: DINOv3ViTConfig) -> dict[str, Tensor]:
    """Tensors by the names of transformers; query, key and value lie in one tensor in Meta's file."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        found = re.match(r"^(blocks\.(\d+))\.attn\.qkv\.(weight|bias)$", name)
        if found:
            block, number, kind = found.groups()
            parts = (tensor if kind == "weight" else _masked_bias(state, block)).chunk(3)
            for letter, part in zip("qkv", parts, strict=True):
                if kind == "weight" or letter != "k" or config.key_bias:
                    renamed[f"layer.{number}.attention.{letter}_proj.{kind}"] = part
        elif not _IGNORED.search(name):
            renamed[_new_name(name)] = tensor
    if "embeddings.mask_token" in renamed:  # (1, D) in Meta's file; only training uses it
        renamed["embeddings.mask_token"] = renamed["embeddings.mask_token"].reshape(1, 1, -1)
    return {name: tensor.float().contiguous() for name, tensor in renamed.items()}


def _new_name(name: str) -> str:
    for pattern, replacement in _RENAMED:
        if pattern.search(name):
            return pattern.sub(replacement, name)
    return name


def _in_names_of(model: DINOv3ViTModel, renamed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Since version 5 transformers keeps the blocks one level deeper, under model.layer."""
    if not any(name.startswith("model.layer.") for name in model.state_dict()):
        return renamed
    return {f"model.{name}" if name.startswith("layer.") else name: tensor for name, tensor in renamed.items()}


def _hash_files(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(data, dict):
        raise _foreign(path, f"a {type(data).__name__} instead of a mapping")
    return data


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return WeightsError(f"weights_path: {path} is damaged or no weights file ({reason}). {WHERE_TO_GET}")


def _incomplete(path: Path, count: int, first: str) -> WeightsError:
    return WeightsError(
        f"weights_path: {path} lacks {count} tensors of a DINOv3 ViT, the first is {first}. {WHERE_TO_GET}"
    )


def _foreign(path: Path, found: str) -> WeightsError:
    return WeightsError(f"weights_path: {path} is not a DINOv3 ViT, found {found}. {WHERE_TO_GET}")
