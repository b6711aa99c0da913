"""The one place that chooses a feature extractor from the settings of a session. Imports no torch by itself."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from models.base import FeatureExtractor
from models.errors import WeightsError
from models.published import PRETRAINED_NAMES

EMBEDDED = "efficientnet_lite0"
KNOWN_NAMES = (EMBEDDED, "dinov3", "dinov2", *PRETRAINED_NAMES)


@dataclass(frozen=True)
class ExtractorSettings:
    """What a session says about its extractor; all None is the embedded one."""

    weights_path: Path | None = None
    """Meta's .pth file, or a local Hugging Face folder."""
    dinov3_repo: Path | None = None
    """Clone of Meta's repository, as older configurations name it; not needed, only checked if given."""
    resize: int | None = None
    """Longest side in pixels; None takes the extractor's own default."""
    extractor: str | None = None
    """Its name; None takes what `weights_path` holds, or the embedded one."""
    layers: tuple[int, ...] | None = None
    """Which layers' outputs make the patch features, counted from 0; None takes the extractor's own default."""


def load_extractor(settings: ExtractorSettings) -> FeatureExtractor:
    """The extractor that the settings name: the embedded EfficientNet-Lite0 where they name none.

    Raises:
        WeightsError: the weights are missing or are not what they should be, or the name is not known.
    """
    check_name(settings.extractor)
    # Each branch imports only its own network: transformers alone takes seconds.
    if settings.weights_path is None and settings.extractor in (None, EMBEDDED):
        from models.efficientnet_lite import EfficientNetLiteExtractor

        return EfficientNetLiteExtractor(resize=settings.resize or EfficientNetLiteExtractor.DEFAULT_RESIZE)
    from models.pretrained import load_pretrained

    return load_pretrained(settings)


def check_name(name: str | None) -> None:
    """Refuse a name that no extractor bears, without importing any.

    Raises:
        WeightsError: names the nearest known one.
    """
    if name is None or name in KNOWN_NAMES:
        return
    near = difflib.get_close_matches(name.lower(), KNOWN_NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KNOWN_NAMES)}"
    raise WeightsError(f"extractor: found {name!r}, which no extractor is called: {hint}")
