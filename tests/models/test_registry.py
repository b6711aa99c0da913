from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.efficientnet_lite import EfficientNetLiteExtractor
from models.errors import WeightsError
from models.geometry import make_grid
from models.registry import ExtractorSettings, load_extractor


def test_load_extractor__null_is_the_embedded_one() -> None:
    assert load_extractor(ExtractorSettings()).info.resize == EfficientNetLiteExtractor.DEFAULT_RESIZE
    extractor = load_extractor(ExtractorSettings(resize=64))
    assert extractor.info.name == "efficientnet_lite0"
    (features,) = extractor.extract([np.zeros((40, 80, 3), np.uint8)])
    grid = make_grid(80, 40, extractor.info)
    assert features.patches.shape == (grid.height, grid.width, extractor.info.dim)
    assert features.pooled.shape == (extractor.info.pooled_dim,)


def test_load_extractor__missing_weights_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file or folder .*vits16\.pth"):
        load_extractor(ExtractorSettings(weights_path=tmp_path / "vits16.pth"))
