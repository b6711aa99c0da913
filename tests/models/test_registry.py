from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.efficientnet_lite import EfficientNetLiteExtractor
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.geometry import make_grid
from models.registry import BUILT_IN_NAMES, check_name, load_extractor

ROOT = Path(__file__).resolve().parents[2]


def test_load_extractor__nothing_named_is_the_embedded_one() -> None:
    assert load_extractor(ExtractorSettings()).info.resize == EfficientNetLiteExtractor.DEFAULT_RESIZE
    extractor = load_extractor(ExtractorSettings(resize=64, extractor="efficientnet_lite0"))
    assert extractor.info.name == "efficientnet_lite0"
    (features,) = extractor.extract([np.zeros((40, 80, 3), np.uint8)])
    grid = make_grid(80, 40, extractor.info)
    assert features.patches.shape == (grid.height, grid.width, extractor.info.dim)
    assert features.pooled.shape == (extractor.info.pooled_dim,)


def test_load_extractor__missing_weights_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file or folder .*vits16\.pth"):
        load_extractor(ExtractorSettings(weights_path=tmp_path / "vits16.pth"))


def test_load_extractor__what_the_embedded_one_does_not_take(tmp_path: Path) -> None:
    embedded = "efficientnet_lite0"
    with pytest.raises(WeightsError, match=r"brings its own weights: write `weights_path: null`"):
        load_extractor(ExtractorSettings(weights_path=tmp_path, extractor=embedded))
    with pytest.raises(WeightsError, match=r"layers: found \[1\], but efficientnet_lite0 has no choice"):
        load_extractor(ExtractorSettings(layers=(1,)))


@pytest.mark.parametrize("name", [None, *BUILT_IN_NAMES, "timm:vit_tiny_patch16_224.augreg_in21k", "my.module:Mine"])
def test_check_name__known(name: str | None) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("DINOv3_vits16", "did you mean 'dinov3_vits16'?"),
        ("dinov3-vitb16", "did you mean 'dinov3_vitb16'?"),
        ("efficientnet", "did you mean 'efficientnet_lite0'?"),
        ("zzz", "known are efficientnet_lite0, dinov3,"),
        ("timm:", "known are" if not importlib.util.find_spec("timm") else "`timm:NAME`"),
        ("", "known are"),
    ],
)
def test_check_name__unknown_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(WeightsError) as caught:
        check_name(name)
    message = str(caught.value)
    assert hint in message
    assert f"found {name!r}" in message
    assert "\n" not in message
    assert "docs/extractors.md" in message


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed")
def test_load_extractor__timm_that_is_not_installed() -> None:
    with pytest.raises(WeightsError, match=r"timm:resnet18 needs the packages timm and torchvision, found no t.*pip"):
        load_extractor(ExtractorSettings(extractor="timm:resnet18"))


def test_registry__is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import models.registry, sys; sys.exit('torch' in sys.modules)"], cwd=ROOT, check=False
    )
    assert done.returncode == 0
