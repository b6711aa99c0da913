"""Runs only where timm can be imported; it needs a torchvision that fits torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.backbone import BackboneExtractor, Pretrained
from models.conformance import contract_faults
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.timm_network import TimmNetwork, load_timm
from tests.models.test_timm_weights import Payload

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


def test_load_timm__weights_of_a_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    state = timm.create_model("resnet18", pretrained=False).state_dict()
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    extractor = load_timm(ExtractorSettings(extractor="timm:resnet18", weights_path=tmp_path / "a.pth"))
    loaded: Any = extractor
    model = loaded._network.model
    assert torch.equal(model.state_dict()["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    assert "state_dict" not in model.pretrained_cfg


def test_load_timm__code_in_a_file_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"state_dict": Payload(mark)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        load_timm(ExtractorSettings(extractor="timm:resnet18", weights_path=tmp_path / "a.pth"))
    assert not mark.exists()


def test_load_timm__unknown_name_names_the_nearest() -> None:
    with pytest.raises(WeightsError, match="knows no network 'resnet19': did you mean timm:resnet18"):
        load_timm(ExtractorSettings(extractor="timm:resnet19"))
