"""What a session says about its extractor, apart from the code that makes one of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    adapter_path: Path | None = None
    """What fine-tuning changed in the weights (models/adapter_files.py); None leaves them as they are."""
    recipe: int | None = None
    """How the embedded extractor makes its features, where earlier versions did it otherwise; None takes the newest."""

    @classmethod
    def of_session(cls, config: Mapping[str, Any], session_dir: Path) -> ExtractorSettings:
        """What the session row keeps of its YAML file."""
        paths = {key: config.get(key) for key in ("weights_path", "dinov3_repo", "adapter_path")}
        layers = config.get("layers")
        return cls(
            # An absolute path replaces session_dir here.
            **{key: None if value is None else session_dir / value for key, value in paths.items()},
            resize=config.get("resize"),
            extractor=config.get("extractor"),
            layers=None if layers is None else tuple(layers),
        )

    def as_in(self, info: ExtractorInfo) -> ExtractorSettings:
        """For more features of a session that has some, on whatever machine: in their precision, by their recipe."""
        return replace(self, precision=info.precision, recipe=info.options.get("recipe"))


def tell_differences(expected: ExtractorInfo, found: ExtractorInfo) -> str:
    """What keeps features of one apart from those of the other: `resize: found 128, expected 64`; empty if nothing."""
    wanted, here = _flat(expected), _flat(found)
    keys = [key for key in dict.fromkeys([*wanted, *here]) if wanted.get(key) != here.get(key)]
    # Groups follow from what else differs, and take lines.
    told = [key for key in keys if key not in ("groups", "pooled_groups")] or keys
    return "; ".join(f"{key}: found {here.get(key)!r}, expected {wanted.get(key)!r}" for key in told)


def is_of_earlier_version(stored: ExtractorInfo, made: ExtractorInfo) -> bool:
    """Whether the same weights gave the stored features by a recipe that this version no longer knows."""
    same = ("name", "weights_hash", "resize")
    recipes = [info.options.get("recipe") for info in (stored, made)]
    return recipes[0] != recipes[1] and all(getattr(stored, key) == getattr(made, key) for key in same)


def _flat(info: ExtractorInfo) -> dict[str, Any]:
    """As it is stored, options side by side with the rest."""
    values: dict[str, Any] = json.loads(json.dumps(info.to_json()))
    options = values.pop("options")
    return values | {f"options.{key}": value for key, value in options.items()}
