"""Small random networks of every family, and their tensors as Meta's files hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    PreTrainedModel,
)

IMAGENET_MEAN, IMAGENET_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain_forward(model: PreTrainedModel, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What plain transformers gives for an image at its own size: last_hidden_state, (tokens, D)."""
    pixels = torch.from_numpy(((image / 255 - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        tokens: npt.NDArray[np.float32] = model(pixel_values=pixels).last_hidden_state[0].numpy()
    return tokens


def dinov3_vit(*, gated: bool = False, dim: int = 64, heads: int = 1, seed: int = 7) -> PreTrainedModel:
    config = DINOv3ViTConfig(
        hidden_size=dim, intermediate_size=96, num_hidden_layers=3, num_attention_heads=heads, num_register_tokens=4,
        use_gated_mlp=gated, hidden_act="silu" if gated else "gelu",
    )  # fmt: skip
    return _random(DINOv3ViTModel(config), seed)


def dinov2(*, swiglu: bool = False) -> PreTrainedModel:
    return _random(Dinov2Model(Dinov2Config(**_dinov2_sizes(), use_swiglu_ffn=swiglu)))


def dinov2_with_registers() -> PreTrainedModel:
    return _random(Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**_dinov2_sizes(), num_register_tokens=4)))


def dinov3_convnext() -> PreTrainedModel:
    return _random(DINOv3ConvNextModel(DINOv3ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 2, 3, 1])))


class Tiny(NamedTuple):
    """One family member: how to make it, and how Meta would have written it."""

    make: Callable[[], PreTrainedModel]
    meta_state: Callable[[Any], dict[str, Tensor]]
    cell_px: int
    size_multiple: int
    prefix_tokens: int
    pooled_size_px: int
    dims: tuple[int, ...]
    """Of each layer."""


def meta_vit_state(model: Any) -> dict[str, Tensor]:
    """DINOv3 ViT, built from its modules and not from any list of names."""
    embeddings = model.embeddings
    head_dim = model.config.hidden_size // model.config.num_attention_heads
    state = {
        "cls_token": embeddings.cls_token,
        "storage_tokens": embeddings.register_tokens,
        "mask_token": embeddings.mask_token[0],
        "patch_embed.proj.weight": embeddings.patch_embeddings.weight,
        "patch_embed.proj.bias": embeddings.patch_embeddings.bias,
        "rope_embed.periods": (100.0 ** (torch.arange(head_dim // 4) / (head_dim // 4))).bfloat16(),
        "norm.weight": model.norm.weight,
        "norm.bias": model.norm.bias,
    }
    for number, layer in enumerate(model.model.layer):
        attention, dim = layer.attention, model.config.hidden_size
        # Meta masks the key's bias; what stands below the mask must not matter.
        nonsense = torch.full((dim,), 3.0)
        block = {
            "attn.qkv.weight": torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
            "attn.qkv.bias": torch.cat([attention.q_proj.bias, nonsense, attention.v_proj.bias]),
            "attn.qkv.bias_mask": torch.cat([torch.ones(dim), torch.zeros(dim), torch.ones(dim)]),
        }
        if model.config.use_gated_mlp:
            parts = {"mlp.w1": layer.mlp.gate_proj, "mlp.w2": layer.mlp.up_proj, "mlp.w3": layer.mlp.down_proj}
        else:
            parts = {"mlp.fc1": layer.mlp.up_proj, "mlp.fc2": layer.mlp.down_proj}
        state |= _block(number, layer, block, parts)
    return _detached(state)


def meta_dinov2_state(model: Any) -> dict[str, Tensor]:
    embeddings = model.embeddings
    state = {
        "cls_token": embeddings.cls_token,
        "pos_embed": embeddings.position_embeddings,
        "mask_token": embeddings.mask_token,
        "patch_embed.proj.weight": embeddings.patch_embeddings.projection.weight,
        "patch_embed.proj.bias": embeddings.patch_embeddings.projection.bias,
        "norm.weight": model.layernorm.weight,
        "norm.bias": model.layernorm.bias,
    }
    if hasattr(embeddings, "register_tokens"):
        state["register_tokens"] = embeddings.register_tokens
    for number, layer in enumerate(model.encoder.layer):
        attention = layer.attention
        block = {
            f"attn.qkv.{kind}": torch.cat(
                [getattr(part, kind) for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
            )
            for kind in ("weight", "bias")
        }
        if model.config.use_swiglu_ffn:
            block |= {
                f"mlp.w12.{kind}": torch.cat([getattr(layer.mlp.gate_proj, kind), getattr(layer.mlp.up_proj, kind)])
                for kind in ("weight", "bias")
            }
            parts = {"mlp.w3": layer.mlp.down_proj}
        else:
            parts = {"mlp.fc1": layer.mlp.fc1, "mlp.fc2": layer.mlp.fc2}
        state |= _block(number, layer, block, parts)
    return _detached(state)


def meta_convnext_state(model: Any) -> dict[str, Tensor]:
    state = {}
    for number, stage in enumerate(model.model.stages):
        for place, module in enumerate(stage.downsample_layers):
            state |= _linear(f"downsample_layers.{number}.{place}", module)
        for place, layer in enumerate(stage.layers):
            parts = {"dwconv": layer.depthwise_conv, "norm": layer.layer_norm, "pwconv1": layer.pointwise_conv1,
                     "pwconv2": layer.pointwise_conv2}  # fmt: skip
            for name, module in parts.items():
                state |= _linear(f"stages.{number}.{place}.{name}", module)
            state[f"stages.{number}.{place}.gamma"] = layer.gamma
    for name in ("norm", "norms.3"):  # one module by two names
        state |= _linear(name, model.layer_norm)
    return _detached(state)


TINY = {
    "dinov3": Tiny(dinov3_vit, meta_vit_state, 16, 16, 5, 256, (64,) * 3),
    "dinov3 gated": Tiny(lambda: dinov3_vit(gated=True), meta_vit_state, 16, 16, 5, 256, (64,) * 3),
    "dinov3 wide heads": Tiny(lambda: dinov3_vit(dim=128), meta_vit_state, 16, 16, 5, 256, (128,) * 3),
    "dinov2": Tiny(dinov2, meta_dinov2_state, 14, 14, 1, 224, (64,) * 3),
    "dinov2 swiglu": Tiny(lambda: dinov2(swiglu=True), meta_dinov2_state, 14, 14, 1, 224, (64,) * 3),
    "dinov2 registers": Tiny(dinov2_with_registers, meta_dinov2_state, 14, 14, 5, 224, (64,) * 3),
    "dinov3 convnext": Tiny(dinov3_convnext, meta_convnext_state, 16, 32, 1, 256, (8, 16, 24, 32)),
}


def save_both(kind: str, folder: Path) -> tuple[Path, Path]:
    """The same network as a Hugging Face folder and as Meta's file."""
    model = TINY[kind].make()
    model.save_pretrained(folder / "folder")
    torch.save(TINY[kind].meta_state(model), folder / "meta.pth")
    return folder / "folder", folder / "meta.pth"


def _dinov2_sizes() -> dict[str, Any]:
    return {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 1, "patch_size": 14, "image_size": 56}


def _random(model: PreTrainedModel, seed: int = 7) -> PreTrainedModel:
    # The initial zeros and ones (biases, layer scales, norms) would hide a swapped or forgotten tensor.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.15, generator=generator)
    return model.eval()


def _block(number: int, layer: Any, tensors: dict[str, Tensor], parts: dict[str, nn.Module]) -> dict[str, Tensor]:
    """What the blocks of both generations have in common."""
    block = tensors | {"ls1.gamma": layer.layer_scale1.lambda1, "ls2.gamma": layer.layer_scale2.lambda1}
    parts = parts | {"norm1": layer.norm1, "norm2": layer.norm2, "attn.proj": layer.attention.o_proj}
    for name, module in parts.items():
        block |= _linear(name, module)
    return {f"blocks.{number}.{name}": tensor for name, tensor in block.items()}


def _linear(name: str, module: Any) -> dict[str, Tensor]:
    return {f"{name}.weight": module.weight, f"{name}.bias": module.bias}


def _detached(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
