"""The one place that chooses a feature extractor from the settings of a session. Imports no torch by itself."""

from __future__ import annotations

import difflib

from models.base import FeatureExtractor
from models.errors import WeightsError
from models.extractor_settings import TIMM_PREFIX, ExtractorSettings
from models.plugin import OBJECT_PATTERN, entry_point_names, load_plugin
from models.published import PRETRAINED_NAMES

EMBEDDED = "efficientnet_lite0"
FAMILIES = ("dinov3", "dinov2")
BUILT_IN_NAMES = (EMBEDDED, *FAMILIES, *PRETRAINED_NAMES)


def load_extractor(settings: ExtractorSettings) -> FeatureExtractor:
    """The extractor that the settings name: the embedded EfficientNet-Lite0 where they name none.

    Raises:
        WeightsError: the weights are missing or are not what they should be, or the name is not known.
    """
    name = settings.extractor
    check_name(name)
    if settings.adapter_path is not None and not _is_pretrained(settings):
        raise WeightsError(
            f"adapter_path: found {settings.adapter_path}, but adapters are for DINOv3 and DINOv2 ViTs alone, and the "
            f"extractor is {name or EMBEDDED}: write `adapter_path: null`, or name the weights in weights_path"
        )
    # Each branch imports only its own network: transformers alone takes seconds.
    if name == EMBEDDED or (name is None and settings.weights_path is None):
        _check_embedded(settings)
        from models.efficientnet_lite import EfficientNetLiteExtractor

        resize = settings.resize or EfficientNetLiteExtractor.DEFAULT_RESIZE
        return EfficientNetLiteExtractor(resize=resize, recipe=settings.recipe)
    if name is None or name in BUILT_IN_NAMES:
        from models.pretrained import load_pretrained

        return load_pretrained(settings)
    if name.startswith(TIMM_PREFIX):
        from models.timm_network import load_timm

        return load_timm(settings)
    return load_plugin(settings)


def check_name(name: str | None) -> None:
    """Refuse a name that no extractor bears, without importing any.

    Raises:
        WeightsError: names the nearest known one.
    """
    if name is None or name in BUILT_IN_NAMES or OBJECT_PATTERN.match(name) or _is_timm(name):
        return
    installed = entry_point_names()
    if name in installed:
        return
    known = (*BUILT_IN_NAMES, *installed)
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
    raise WeightsError(
        f"extractor: found {name!r}, which no extractor is called: {hint} Others are `{TIMM_PREFIX}NAME` and "
        "`package.module:Name`: see docs/extractors.md"
    )


def _is_pretrained(settings: ExtractorSettings) -> bool:
    name = settings.extractor
    return settings.weights_path is not None if name is None else name in (*FAMILIES, *PRETRAINED_NAMES)


def _is_timm(name: str) -> bool:
    return name.startswith(TIMM_PREFIX) and name != TIMM_PREFIX


def _check_embedded(settings: ExtractorSettings) -> None:
    if settings.weights_path is not None:
        raise WeightsError(
            f"weights_path: found {settings.weights_path}, but {EMBEDDED} brings its own weights: write "
            "`weights_path: null`, or leave `extractor` out"
        )
    if settings.layers is not None:
        raise WeightsError(
            f"layers: found {list(settings.layers)}, but {EMBEDDED} has no choice of layers: write `layers: null`, or "
            "choose another extractor (docs/extractors.md)"
        )
