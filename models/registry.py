"""The one place that chooses a feature extractor from the settings of a session."""

from __future__ import annotations

from pathlib import Path

from models.base import FeatureExtractor


def load_extractor(weights_path: Path | None, dinov3_repo: Path | None, resize: int | None) -> FeatureExtractor:
    """The embedded EfficientNet-Lite0 without `weights_path`, else DINOv3 from it.

    Args:
        weights_path: Meta's .pth file, or a local Hugging Face folder.
        dinov3_repo: Clone of Meta's repository, as older configurations name it; not needed, only checked if given.
        resize: Longest side in pixels; None takes the extractor's own default.

    Raises:
        WeightsError: the weights are missing or are not what they should be.
    """
    # Each branch imports only its own network: transformers alone takes seconds.
    if weights_path is None:
        from models.efficientnet_lite import EfficientNetLiteExtractor

        return EfficientNetLiteExtractor(resize=resize or EfficientNetLiteExtractor.DEFAULT_RESIZE)
    from models.dinov3 import DINOv3Extractor

    return DINOv3Extractor.load(weights_path, dinov3_repo=dinov3_repo, resize=resize)
