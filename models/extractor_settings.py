"""What a session says about its extractor, apart from the code that makes one of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from models.base import ExtractorInfo

TIMM_PREFIX = "timm:"


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
    """A built-in name, `timm:NAME`, `package.module:Name` or an entry point's name; None takes what `weights_path`
    holds, or the embedded one."""
    layers: tuple[int, ...] | None = None
    """Which layers' outputs make the patch features, counted from 0; None takes the extractor's own default."""
    precision: str | None = None
    """float32 or bfloat16; None takes what is fastest on this machine (models/runtime.py)."""

    def as_in(self, info: ExtractorInfo) -> ExtractorSettings:
        """For more features of a session that has some, on whatever machine: in their precision."""
        return replace(self, precision=info.precision)
