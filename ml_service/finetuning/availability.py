"""Whether the extractor of a session can be fine-tuned here. Imports no torch: the page asks."""

from __future__ import annotations

from importlib.util import find_spec

from models.adapter_files import SUFFIX
from models.base import ExtractorInfo

FAMILIES = ("dinov3_vit", "dinov2_vit")
"""Beginnings of the names of networks whose attention layers are known."""
PACKAGE = "peft"


def why_not(info: ExtractorInfo) -> str | None:
    """Why the extractor cannot be fine-tuned, and what to do; None if it can."""
    name = info.name.removesuffix(SUFFIX)
    if not name.startswith(FAMILIES):
        return (
            f"the extractor is {name}, and only DINOv3 and DINOv2 ViTs can be fine-tuned: get such weights, name them "
            "in weights_path and run `fewclick init --config FILE --change-extractor` (docs/extractors.md)"
        )
    if find_spec(PACKAGE) is None:
        return f"the package {PACKAGE} is missing: install it by `pip install 'fewclick[finetune]'`"
    return None
