from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.geometry import sample_bilinear
from models.networks import ConvNeXt, FrozenNetwork, VisionTransformer
from tests.models.tiny_networks import TINY, dinov3_convnext

PIXELS = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 3, 224, 448)).astype(np.float32))


def block_outputs(model: Any, blocks: Any) -> list[Tensor]:
    """What plain transformers computes in each block, seen from outside."""
    outputs: list[Tensor] = []
    hooks = [block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output)) for block in blocks]
    with torch.inference_mode():
        model(PIXELS)
    for hook in hooks:
        hook.remove()
    return outputs


@pytest.mark.parametrize("kind", ["dinov3", "dinov2", "dinov2 registers"])
def test_vision_transformer__every_wanted_layer_passes_the_last_norm(kind: str) -> None:
    tiny = TINY[kind]
    model: Any = tiny.make()
    blocks = model.model.layer if hasattr(model, "model") else model.encoder.layer
    norm = model.norm if hasattr(model, "norm") else model.layernorm
    outputs = block_outputs(model, blocks)
    network = VisionTransformer(model, (2, 0))
    with torch.inference_mode():
        patch_map, summary = network(PIXELS)
        expected = [norm(outputs[layer])[:, tiny.prefix_tokens :] for layer in (2, 0)]
    height, width = 224 // tiny.cell_px, 448 // tiny.cell_px
    assert patch_map.shape == (2, height, width, 128)
    torch.testing.assert_close(patch_map.flatten(1, 2), torch.cat(expected, dim=2), atol=1e-5, rtol=1e-5)
    assert summary.shape == (2, 128)
    assert [(group.name, group.size) for group in network.groups] == [("layer2", 64), ("layer0", 64)]


def test_convnext__stages_pass_the_norm_that_reads_them() -> None:
    model: Any = dinov3_convnext()
    outputs = block_outputs(model, model.model.stages)
    read = block_outputs(model, [stage.downsample_layers[0] for stage in model.model.stages[1:]])
    network = ConvNeXt(model, (1, 3))
    with torch.inference_mode():
        patch_map, summary = network(PIXELS)
        last = model.layer_norm(outputs[3].permute(0, 2, 3, 1))
        expected_summary = torch.cat([model(PIXELS).pooler_output, last.mean(dim=(1, 2))], dim=1)
    assert (network.cell_px, network.size_multiple) == (8, 32)
    assert patch_map.shape == (2, 28, 56, 16 + 32)
    torch.testing.assert_close(patch_map[..., :16], read[1].permute(0, 2, 3, 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(patch_map[:, 0, 0, 16:], last[:, 0, 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(summary, expected_summary, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layers", "cell_px"), [((0,), 4), ((1, 2), 8), (None, 16), ((3,), 32)])
def test_convnext__cells_are_those_of_the_finest_stage(layers: tuple[int, ...] | None, cell_px: int) -> None:
    network: FrozenNetwork = ConvNeXt(dinov3_convnext(), layers)
    with torch.inference_mode():
        patch_map = network(PIXELS[:1]).patch_map
    assert network.cell_px == cell_px
    assert patch_map.shape == (1, 224 // cell_px, 448 // cell_px, sum(group.size for group in network.groups))


def test_convnext__coarse_stage_lies_over_the_same_rectangle() -> None:
    model = dinov3_convnext()
    with torch.inference_mode():
        coarse = ConvNeXt(model, (3,))(PIXELS).patch_map[0].numpy()
        fine = ConvNeXt(model, (2, 3))(PIXELS).patch_map[0, :, :, 24:].numpy()
    rows, columns = np.indices(fine.shape[:2])
    centres = np.stack([columns + 0.5, rows + 0.5], axis=-1).reshape(-1, 2)
    expected = sample_bilinear(coarse, centres / 2)
    np.testing.assert_allclose(fine.reshape(-1, 32), expected, atol=1e-5)


def test_networks__a_batch_equals_its_parts() -> None:
    for kind in ("dinov3", "dinov2", "dinov3 convnext"):
        make: Any = ConvNeXt if kind == "dinov3 convnext" else VisionTransformer
        network = make(TINY[kind].make())
        with torch.inference_mode():
            together = network(PIXELS)
            alone = network(PIXELS[1:])
        for both, one in zip(together, alone, strict=True):
            torch.testing.assert_close(both[1:], one, atol=1e-5, rtol=1e-5)
