"""Scaling of features by statistics of unlabelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import ChannelGroup

FloatArray = npt.NDArray[np.float32]

DEAD_CHANNEL_RATIO = 1e-3
"""A channel that varies less than this share of its group's typical deviation tells nothing and is ignored."""


@dataclass(frozen=True)
class FeatureScaler:
    """Standardises channels and makes every channel group weigh the same, however many channels it has."""

    mean: FloatArray
    """(D,)"""
    scale: FloatArray
    """(D,), zero where a channel is ignored."""
    group_sizes: tuple[int, ...]
    """Partition of the D channels, in order."""

    @classmethod
    def fit(cls, sample: npt.NDArray[np.floating], groups: Sequence[ChannelGroup] = ()) -> FeatureScaler:
        """Statistics of unlabelled feature vectors (M, D), best of many images.

        Args:
            sample: Cells of patch features or pooled vectors, at least one.
            groups: `ExtractorInfo.groups` or `.pooled_groups`; empty means one group.
        """
        if sample.ndim != 2 or len(sample) == 0:
            raise ValueError(f"expected at least one feature vector (M, D), found shape {sample.shape}")
        values = sample.astype(np.float64)
        return cls.from_statistics(values.mean(axis=0), values.std(axis=0), groups)

    @classmethod
    def from_statistics(
        cls,
        mean: npt.NDArray[np.float64],
        deviation: npt.NDArray[np.float64],
        groups: Sequence[ChannelGroup] = (),
    ) -> FeatureScaler:
        """As `fit`, from the mean (D,) and the standard deviation (D,) of such vectors."""
        dim = len(mean)
        sizes = tuple(group.size for group in groups) or (dim,)
        if sum(sizes) != dim:
            raise ValueError(f"the channel groups {sizes} hold {sum(sizes)} channels, the features have {dim}")
        if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
            raise ValueError("the sample holds features that are not finite")
        scale = np.zeros(dim)
        for part in _slices(sizes):
            typical = np.sqrt(np.mean(deviation[part] ** 2))
            alive = deviation[part] > max(DEAD_CHANNEL_RATIO * typical, 1e-8)
            size = part.stop - part.start
            scale[part] = np.divide(1.0, deviation[part] * np.sqrt(size), out=np.zeros(size), where=alive)
        return cls(mean.astype(np.float32), scale.astype(np.float32), sizes)

    @classmethod
    def identity(cls, dim: int) -> FeatureScaler:
        """Leaves features as they are; one group."""
        return cls(np.zeros(dim, np.float32), np.ones(dim, np.float32), (dim,))

    @property
    def slices(self) -> list[slice]:
        """Where each channel group lies."""
        return _slices(self.group_sizes)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named arrays that hold it all, beside those of a live head."""
        return {
            "scaler_mean": self.mean,
            "scaler_scale": self.scale,
            "scaler_group_sizes": np.array(self.group_sizes, dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> FeatureScaler:
        """Inverse of `state`; other arrays beside are no matter."""
        return cls(
            np.asarray(state["scaler_mean"], dtype=np.float32),
            np.asarray(state["scaler_scale"], dtype=np.float32),
            tuple(int(size) for size in np.asarray(state["scaler_group_sizes"], dtype=np.int64)),
        )

    def transform(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Scaled features (..., D) of raw features (..., D)."""
        return np.asarray((features.astype(np.float32, copy=False) - self.mean) * self.scale, dtype=np.float32)

    def unit_norm(self, scaled: FloatArray) -> FloatArray:
        """Scaled features (..., D) with each group divided by its norm; a group of zeros stays zero."""
        parts = [scaled[..., part] for part in _slices(self.group_sizes)]
        norms = [np.linalg.norm(part, axis=-1, keepdims=True) for part in parts]
        unit = [part / np.maximum(norm, 1e-6) for part, norm in zip(parts, norms, strict=True)]
        return np.concatenate(unit, axis=-1)


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum(sizes)
    return [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]
