"""What a feature extractor is. Imports no torch: the backend reads `ExtractorInfo` too."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ChannelGroup:
    """Consecutive channels that belong together (one level of a network, colour): scaled by one factor in the head."""

    name: str
    size: int


@dataclass(frozen=True)
class ExtractorInfo:
    """Identity of features: two images' features can be compared if and only if their infos are equal."""

    name: str
    """For example efficientnet_lite0 or dinov3_vits16."""
    weights_hash: str
    """First 16 hex digits of the SHA-256 of the weights file."""
    patch_size: int
    """Side of one feature cell in pixels of the resized image."""
    size_multiple: int
    """Both sides of the resized image are multiples of this (pixels), so that nothing is ever padded."""
    dim: int
    """D, channels of the patch features."""
    pooled_dim: int
    """P, length of the pooled vector; may differ from D."""
    resize: int
    """Longest side of the resized image, pixels."""
    groups: tuple[ChannelGroup, ...] = ()
    """Partition of the D patch channels; empty means one group."""
    pooled_groups: tuple[ChannelGroup, ...] = ()
    """Partition of the P pooled channels; empty means one group."""
    options: dict[str, Any] = field(default_factory=dict)
    """Whatever else changes the values, JSON only."""

    @property
    def precision(self) -> str:
        """float32, or what is coarser than the store keeps: bfloat16."""
        return str(self.options.get("precision", "float32"))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, for the session row and the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ExtractorInfo:
        """Inverse of `to_json`."""
        groups = {key: tuple(ChannelGroup(**group) for group in data[key]) for key in ("groups", "pooled_groups")}
        return cls(**{**data, **groups})


class Features(NamedTuple):
    """What an extractor gives for one image."""

    patches: npt.NDArray[np.float32] | None
    """(Hp, Wp, D) on the grid of `models.geometry.Grid`; None if not asked for."""
    pooled: npt.NDArray[np.float32] | None
    """(P,); None if not asked for."""

    def are_finite(self) -> bool:
        """Whether no value is infinite or NaN."""
        return all(np.isfinite(array).all() for array in self if array is not None)


class FeatureExtractor(Protocol):
    """A frozen network. Deterministic: the same image gives the same features."""

    @property
    def info(self) -> ExtractorInfo:
        """Identity of the features it makes."""
        ...

    @property
    def batch_size(self) -> int:
        """How many images of one size `extract` takes to best effect in one call; 1 where a batch is no faster."""
        ...

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        """Features of each upright RGB image (H, W, 3) uint8; sizes may differ within the list.

        The result for an image does not depend on its neighbours in the list, nor on what else is asked for.

        Args:
            patches: Whether the patch features are wanted: the expensive tier, at `info.resize`.
            pooled: Whether the pooled vectors are wanted: the cheap tier, seen at a small size.
        """
        ...
