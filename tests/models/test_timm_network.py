"""Runs only where timm can be imported; it needs a torchvision that fits torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.backbone import BackboneExtractor, Pretrained
from models.conformance import contract_faults
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.timm_network import TimmNetwork, load_timm

try:
    import timm
except (ImportError, RuntimeError) as problem:
    pytest.skip(f"timm cannot be imported ({problem}): pip install 'fewclick[timm]'", allow_module_level=True)


@pytest.mark.parametrize(
    ("name", "options", "cell_px", "layers"),
    [
        ("resnet18", {}, 16, (3, 4)),
        ("convnext_atto", {}, 16, (2, 3)),
        ("vit_tiny_patch16_224", {"dynamic_img_size": True}, 16, (11,)),
    ],
)
def test_timm_network__keeps_the_contract(
    name: str, options: dict[str, Any], cell_px: int, layers: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=0, **options).eval()
    with torch.inference_mode():
        network = TimmNetwork(model, name, 224)
    assert (network.cell_px, network.layers) == (cell_px, layers)
    pretrained = Pretrained(name, network, "0" * 16, (0.5,) * 3, (0.5,) * 3, resize=128, pooled_size_px=64)
    assert contract_faults(BackboneExtractor(pretrained)) == []


def test_timm_network__of_one_size_only_is_refused() -> None:
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0).eval()
    with pytest.raises(WeightsError, match="does not take a picture of 64 x 48"), torch.inference_mode():
        TimmNetwork(model, "timm:vit_tiny_patch16_224", 224)


def test_load_timm__unknown_name_names_the_nearest() -> None:
    with pytest.raises(WeightsError, match="knows no network 'resnet19': did you mean timm:resnet18"):
        load_timm(ExtractorSettings(extractor="timm:resnet19"))
