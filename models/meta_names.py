"""Meta's .pth files in the words of Hugging Face: architecture and sizes read off the tensors, tensors renamed.

Both hold the same tensors. Names in Meta's files (https://github.com/facebookresearch/dinov3, .../dinov2):
- ViT: cls_token, mask_token, patch_embed.proj.*, blocks.N.{norm1, attn.{qkv, proj}, ls1.gamma, norm2, ls2.gamma},
  blocks.N.mlp.{fc1, fc2} or mlp.{w1, w2, w3} or mlp.{w12, w3}, norm.*; DINOv3 also storage_tokens and
  rope_embed.periods, DINOv2 pos_embed and maybe register_tokens;
- ConvNeXt: downsample_layers.S.N.*, stages.S.N.{dwconv, norm, pwconv1, pwconv2, gamma}, norm.* (norms.3.* is the same).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import (
    Dinov2Config,
    Dinov2WithRegistersConfig,
    DINOv3ConvNextConfig,
    DINOv3ViTConfig,
    PreTrainedConfig,
)

from models.weights_file import foreign

LAYER_NORM_EPS = 1e-5
"""Of the DINOv3 ViTs; the others have the 1e-6 that transformers takes by itself."""
ROPE_BASE = 100.0
HEAD_DIM = 64
PERIOD_TOLERANCE = 0.01
"""Relative; the file keeps the periods in bfloat16."""

# Not part of the network that makes features: heads, training-only buffers, and what is computed anew.
_IGNORED = re.compile(r"^(head|dino_head|ibot_head|local_cls_norm|cls_norm|norms)\.|^rope_embed\.|\.bias_mask$")

_Rules = tuple[tuple[re.Pattern[str], str], ...]
_DINOV3_VIT: _Rules = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^storage_tokens$", "embeddings.register_tokens"),
        (r"^(cls_token|mask_token)$", r"embeddings.\1"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings."),
        (r"^blocks\.(\d+)\.attn\.([qkv])\.", r"layer.\1.attention.\2_proj."),
        (r"^blocks\.(\d+)\.attn\.proj\.", r"layer.\1.attention.o_proj."),
        (r"^blocks\.(\d+)\.ls([12])\.gamma$", r"layer.\1.layer_scale\2.lambda1"),
        (r"^blocks\.(\d+)\.mlp\.fc1\.", r"layer.\1.mlp.up_proj."),
        (r"^blocks\.(\d+)\.mlp\.fc2\.", r"layer.\1.mlp.down_proj."),
        (r"^blocks\.(\d+)\.mlp\.w1\.", r"layer.\1.mlp.gate_proj."),
        (r"^blocks\.(\d+)\.mlp\.w2\.", r"layer.\1.mlp.up_proj."),
        (r"^blocks\.(\d+)\.mlp\.w3\.", r"layer.\1.mlp.down_proj."),
        (r"^blocks\.(\d+)\.(norm[12])\.", r"layer.\1.\2."),
    )
)
_DINOV2: _Rules = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
        (r"^pos_embed$", "embeddings.position_embeddings"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
        (r"^blocks\.(\d+)\.attn\.q\.", r"encoder.layer.\1.attention.attention.query."),
        (r"^blocks\.(\d+)\.attn\.k\.", r"encoder.layer.\1.attention.attention.key."),
        (r"^blocks\.(\d+)\.attn\.v\.", r"encoder.layer.\1.attention.attention.value."),
        (r"^blocks\.(\d+)\.attn\.proj\.", r"encoder.layer.\1.attention.output.dense."),
        (r"^blocks\.(\d+)\.ls([12])\.gamma$", r"encoder.layer.\1.layer_scale\2.lambda1"),
        (r"^blocks\.(\d+)\.mlp\.(fc[12])\.", r"encoder.layer.\1.mlp.\2."),
        (r"^blocks\.(\d+)\.mlp\.w12\.", r"encoder.layer.\1.mlp.weights_in."),
        (r"^blocks\.(\d+)\.mlp\.w3\.", r"encoder.layer.\1.mlp.weights_out."),
        (r"^blocks\.(\d+)\.(norm[12])\.", r"encoder.layer.\1.\2."),
        (r"^norm\.", "layernorm."),
    )
)
_CONVNEXT: _Rules = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^downsample_layers\.(\d+)\.(\d+)\.", r"stages.\1.downsample_layers.\2."),
        (r"^stages\.(\d+)\.(\d+)\.gamma$", r"stages.\1.layers.\2.gamma"),
        (r"^stages\.(\d+)\.(\d+)\.dwconv\.", r"stages.\1.layers.\2.depthwise_conv."),
        (r"^stages\.(\d+)\.(\d+)\.norm\.", r"stages.\1.layers.\2.layer_norm."),
        (r"^stages\.(\d+)\.(\d+)\.pwconv([12])\.", r"stages.\1.layers.\2.pointwise_conv\3."),
        (r"^norm\.", "layer_norm."),
    )
)


class Translated(NamedTuple):
    """What transformers needs to make the network."""

    config: PreTrainedConfig
    state: dict[str, Tensor]
    """By the names of the files on the Hugging Face hub, float32."""


def translate(path: Path, state: Mapping[str, Tensor]) -> Translated:
    """Recognise the network by its tensors.

    Raises:
        WeightsError: none of DINOv3 (ViT, ConvNeXt) and DINOv2.
    """
    if "downsample_layers.0.0.weight" in state or "stages.0.0.gamma" in state:
        return Translated(_convnext_config(path, state), _renamed(state, _CONVNEXT))
    if "pos_embed" in state and "blocks.0.ls1.gamma" in state:
        return Translated(_dinov2_config(path, state), _renamed(_split_qkv(state), _DINOV2))
    if "pos_embed" in state:
        raise foreign(path, "a ViT without layer scales (`extractor: timm:NAME` may know it)")
    config = _dinov3_vit_config(path, state)
    renamed = _renamed(_split_qkv(_masked(state)), _DINOV3_VIT)
    if not config.key_bias:
        renamed = {name: tensor for name, tensor in renamed.items() if not name.endswith("k_proj.bias")}
    # (1, D) in Meta's file; only training uses it
    renamed["embeddings.mask_token"] = renamed.get("embeddings.mask_token", torch.zeros(config.hidden_size)).reshape(
        1, 1, -1
    )
    return Translated(config, renamed)


def _dinov3_vit_config(path: Path, state: Mapping[str, Tensor]) -> DINOv3ViTConfig:
    depth = _depth(state)
    needed = ("cls_token", "storage_tokens", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight")
    absent = [name for name in needed if name not in state]
    if depth == 0 or absent:
        raise foreign(path, f"no tensor {(absent or ['blocks'])[0]}")
    is_gated = "blocks.0.mlp.w1.weight" in state
    up = state.get("blocks.0.mlp.w1.weight" if is_gated else "blocks.0.mlp.fc1.weight")
    patch = state["patch_embed.proj.weight"]
    dim = state["cls_token"].shape[-1]
    periods = state.get("rope_embed.periods")
    head_dim = HEAD_DIM if periods is None else 4 * periods.numel()
    if up is None or patch.ndim != 4 or dim % head_dim:
        raise foreign(path, f"a width of {dim} with heads of {head_dim}")
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


def _dinov2_config(path: Path, state: Mapping[str, Tensor]) -> Dinov2Config | Dinov2WithRegistersConfig:
    needed = ("cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight")
    absent = [name for name in needed if name not in state]
    if absent:
        raise foreign(path, f"no tensor {absent[0]}")
    dim = state["cls_token"].shape[-1]
    patch_size = state["patch_embed.proj.weight"].shape[-1]
    side = round((state["pos_embed"].shape[1] - 1) ** 0.5)
    up = state.get("blocks.0.mlp.fc1.weight")
    if side**2 + 1 != state["pos_embed"].shape[1] or dim % HEAD_DIM:
        raise foreign(path, f"a width of {dim} with {state['pos_embed'].shape[1]} positions")
    sizes = {
        "hidden_size": dim,
        "num_hidden_layers": _depth(state),
        "num_attention_heads": dim // HEAD_DIM,
        "mlp_ratio": 4 if up is None else up.shape[0] // dim,
        "patch_size": patch_size,
        "image_size": patch_size * side,
        "qkv_bias": "blocks.0.attn.qkv.bias" in state,
        "use_swiglu_ffn": "blocks.0.mlp.w12.weight" in state,
    }
    registers = state.get("register_tokens")
    if registers is None:
        return Dinov2Config(**sizes, use_mask_token="mask_token" in state)
    return Dinov2WithRegistersConfig(**sizes, num_register_tokens=registers.shape[1])


def _convnext_config(path: Path, state: Mapping[str, Tensor]) -> DINOv3ConvNextConfig:
    places = {tuple(map(int, found.groups())) for name in state if (found := re.match(r"stages\.(\d+)\.(\d+)\.", name))}
    stages = 1 + max((stage for stage, _ in places), default=-1)
    widths = [state.get(f"stages.{stage}.0.dwconv.weight") for stage in range(stages)]
    if not widths or any(width is None for width in widths):
        raise foreign(path, f"{stages} stages, of which some have no blocks")
    return DINOv3ConvNextConfig(
        hidden_sizes=[width.shape[0] for width in widths if width is not None],
        depths=[sum(place[0] == stage for place in places) for stage in range(stages)],
    )


def _depth(state: Mapping[str, Tensor]) -> int:
    return 1 + max((int(name.split(".")[1]) for name in state if re.match(r"blocks\.\d+\.", name)), default=-1)


def _check_periods(path: Path, periods: Tensor | None, head_dim: int) -> None:
    """The network computes the periods itself, in float32; those in the file only tell whether it is the same one."""
    if periods is None:
        return
    expected = ROPE_BASE ** torch.arange(0, 1, 4 / head_dim, dtype=torch.float32)
    if not torch.allclose(periods.float(), expected, rtol=PERIOD_TOLERANCE, atol=0):
        raise foreign(path, f"rotary periods up to {periods.max():.1f}, expected {expected.max():.1f}")


def _masked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Where Meta's file has a mask, the key's third of the bias of query, key and value (3D,) counts as zero."""
    masked = dict(state)
    for name in state:
        if name.endswith(".attn.qkv.bias") and f"{name}_mask" in state:
            third = state[name].numel() // 3
            masked[name] = state[name].clone()
            masked[name][third : 2 * third] = 0
    return masked


def _has_key_bias(state: Mapping[str, Tensor], dim: int) -> bool:
    return any(
        bool(tensor[dim : 2 * dim].any()) for name, tensor in _masked(state).items() if name.endswith(".attn.qkv.bias")
    )


def _split_qkv(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value, which lie in one tensor in Meta's file, each by a name of its own."""
    split: dict[str, Tensor] = {}
    for name, tensor in state.items():
        found = re.match(r"^(blocks\.\d+\.attn\.)qkv\.(weight|bias)$", name)
        if found:
            split |= {
                f"{found[1]}{letter}.{found[2]}": part for letter, part in zip("qkv", tensor.chunk(3), strict=True)
            }
        else:
            split[name] = tensor
    return split


def _renamed(state: Mapping[str, Tensor], rules: _Rules) -> dict[str, Tensor]:
    return {
        _new_name(name, rules): tensor.float().contiguous()
        for name, tensor in state.items()
        if not _IGNORED.search(name)
    }


def _new_name(name: str, rules: _Rules) -> str:
    for pattern, replacement in rules:
        if pattern.search(name):
            return pattern.sub(replacement, name)
    return name
