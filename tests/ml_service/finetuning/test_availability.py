"""Which extractors can be fine-tuned."""

from __future__ import annotations

import pytest

from ml_service.finetuning.availability import why_not
from models.base import ExtractorInfo


@pytest.mark.parametrize("name", ["efficientnet_lite0", "dinov3_convnext_tiny", "timm:resnet18", "toy"])
def test_why_not__names_what_to_do(name: str) -> None:
    reason = why_not(ExtractorInfo(name, "0" * 16, 8, 8, dim=3, pooled_dim=3, resize=64))
    assert reason is not None
    assert "only DINOv3 and DINOv2 ViTs can be fine-tuned" in reason
    assert "weights_path" in reason


@pytest.mark.parametrize("name", ["dinov3_vits16", "dinov2_vitb14_reg", "dinov3_vits16-lora"])
def test_why_not__vits_can(name: str) -> None:
    assert why_not(ExtractorInfo(name, "0" * 16, 16, 16, dim=3, pooled_dim=3, resize=64)) is None
