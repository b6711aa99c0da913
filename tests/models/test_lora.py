"""Adapters merged into weights give what peft gives with its own layers beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from models.adapter_files import AdapterDescription, adapted_info, read_adapter, write_adapter
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.lora import merge_factors, stack_factors
from models.networks import VisionTransformer
from models.pretrained import load_network, load_pretrained
from models.registry import load_extractor
from tests.models.tiny_networks import dinov2, dinov2_with_registers, dinov3_vit, picture

SCALE = 2.0


def factors_of(network: VisionTransformer, endings: tuple[str, ...], seed: int = 1, rank: int = 4) -> dict:
    generator = torch.Generator().manual_seed(seed)
    factors = {}
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Linear) and name.endswith(endings):
            factors[f"{name}.lora_A"] = torch.randn(rank, module.in_features, generator=generator) * 0.2
            factors[f"{name}.lora_B"] = torch.randn(module.out_features, rank, generator=generator) * 0.2
    assert factors
    return factors


def by_peft(network: VisionTransformer, factors: dict) -> torch.nn.Module:
    names = sorted({name.rsplit(".", 1)[0] for name in factors})
    model = get_peft_model(network, LoraConfig(r=4, lora_alpha=8, target_modules=names))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                short = name.removeprefix("base_model.model.").removesuffix(".default.weight")
                parameter.copy_(factors[short])
    return model.eval()


@pytest.mark.parametrize("make", [dinov3_vit, dinov2, dinov2_with_registers])
def test_merge_factors__equals_peft(make: object) -> None:
    model: PreTrainedModel = make()  # type: ignore[operator]
    plain, merged, beside = (VisionTransformer(replace_model(model)) for _ in range(3))
    factors = factors_of(plain, ("q_proj", "v_proj", "fc1", "up_proj"))
    merge_factors(merged, factors, SCALE)
    pixels = torch.randn(2, 3, 4 * plain.cell_px, 3 * plain.cell_px, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = by_peft(beside, factors)(pixels)
        found, frozen = merged(pixels), plain(pixels)
    for one, other, without in zip(found, wanted, frozen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        assert (one - without).abs().max() > 1e-2


def replace_model(model: PreTrainedModel) -> PreTrainedModel:
    copy = type(model)(model.config)
    copy.load_state_dict(model.state_dict())
    return copy.eval()


def test_stack_factors__is_one_after_the_other() -> None:
    model = dinov3_vit()
    twice, once = VisionTransformer(replace_model(model)), VisionTransformer(replace_model(model))
    first, second = factors_of(twice, ("q_proj", "v_proj")), factors_of(twice, ("q_proj", "up_proj"), seed=2, rank=3)
    merge_factors(twice, first, 2.0)
    merge_factors(twice, second, 0.5)
    merge_factors(once, stack_factors(first, 2.0, second, 0.5), 1.0)
    for one, other in zip(once.parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "width", "told"),
    [
        ("blocks.9.attention.q_proj", 64, "layer blocks.9.attention.q_proj does not fit"),
        ("blocks.0.attention.q_proj", 8, "do not fit layer blocks.0.attention.q_proj"),
        ("norm", 64, "do not fit layer norm"),
    ],
)
def test_merge_factors__tells_what_does_not_fit(layer: str, width: int, told: str) -> None:
    factors = {f"{layer}.lora_A": torch.zeros(2, width), f"{layer}.lora_B": torch.zeros(64, 2)}
    with pytest.raises(WeightsError, match=told):
        merge_factors(VisionTransformer(dinov3_vit()), factors, 1.0)


@pytest.fixture
def adapted(tmp_path: Path) -> ExtractorSettings:
    """A network in a folder, and an adapter for it."""
    dinov3_vit().save_pretrained(tmp_path / "network")
    settings = ExtractorSettings(weights_path=tmp_path / "network", resize=64)
    extractor = load_pretrained(settings)
    factors = factors_of(load_network(settings).network, ("q_proj", "v_proj"))  # type: ignore[arg-type]
    description = AdapterDescription(base=extractor.info.to_json(), scale=SCALE, provenance={"run_id": 3})
    write_adapter(tmp_path / "adapter.safetensors", safetensors.torch.save(factors), description)
    return replace(settings, adapter_path=tmp_path / "adapter.safetensors")


def test_load_extractor__adapter_changes_features_and_identity(adapted: ExtractorSettings) -> None:
    frozen = load_extractor(replace(adapted, adapter_path=None))
    tuned = load_extractor(adapted)
    assert adapted.adapter_path is not None
    described = read_adapter(adapted.adapter_path)
    assert tuned.info == described.adapted == adapted_info(frozen.info, described.sha256)
    assert (tuned.info.name, tuned.info.dim) == ("dinov3_vit64x3-lora", frozen.info.dim)
    assert tuned.info.weights_hash != frozen.info.weights_hash
    before, after = (each.extract([picture(64, 48)])[0].patches for each in (frozen, tuned))
    assert before is not None
    assert after is not None
    assert np.abs(after - before).max() > 1e-3


def test_load_extractor__adapter_of_other_weights_is_refused(adapted: ExtractorSettings, tmp_path: Path) -> None:
    dinov3_vit(seed=8).save_pretrained(tmp_path / "other")
    with pytest.raises(WeightsError, match="belongs to dinov3_vit64x3 with weights"):
        load_extractor(replace(adapted, weights_path=tmp_path / "other"))


def test_load_extractor__adapter_for_another_kind_is_refused(adapted: ExtractorSettings) -> None:
    with pytest.raises(WeightsError, match="adapters are for DINOv3 and DINOv2 ViTs alone"):
        load_extractor(ExtractorSettings(adapter_path=adapted.adapter_path))


def test_load_extractor__damaged_adapter_is_refused(adapted: ExtractorSettings) -> None:
    path = adapted.adapter_path
    assert path is not None
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        load_extractor(adapted)
    path.unlink()
    with pytest.raises(WeightsError, match="is missing"):
        load_extractor(adapted)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"format": "fewclick-adapter", "format_version": 99})])
def test_read_adapter__foreign_description_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(WeightsError, match="does not describe an adapter of this program"):
        read_adapter(tmp_path / "x.safetensors")
