"""Principal components of features: what the form `pca_int8` keeps of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.base import ChannelGroup

FloatArray = npt.NDArray[np.float32]
DEAD_CHANNEL_RATIO = 1e-3
"""A channel that varies less than this share of its group's typical deviation is not scaled up to the others."""


class Projection:
    """Principal components of standardised channels, in which every channel group weighs the same.

    That is the metric in which heads learn: without it the channels with the largest numbers would take all components.
    """

    def __init__(self, mean: FloatArray, encoding: FloatArray, decoding: FloatArray) -> None:
        self.mean = mean
        """(D,)"""
        self.encoding = encoding
        """(D, K)"""
        self.decoding = decoding
        """(K, D)"""

    @classmethod
    def fit(
        cls, maps: Iterable[npt.NDArray[np.floating]], groups: tuple[ChannelGroup, ...], channels: int
    ) -> Projection | None:
        """Fitted on the patch features (Hp, Wp, D) of some images, one at a time; None if there are none.

        Args:
            groups: `ExtractorInfo.groups`.
            channels: K, at most; never more than D.
        """
        count, total, products = 0, np.zeros(0), np.zeros((0, 0))
        for patches in maps:
            rows = patches.reshape(-1, patches.shape[-1]).astype(np.float64)
            if count == 0:
                total, products = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
            count += len(rows)
            total += rows.sum(axis=0)
            products += rows.T @ rows
        if count == 0:
            return None
        mean = total / count
        covariance = products / count - np.outer(mean, mean)
        scale = _scale(np.sqrt(np.maximum(np.diag(covariance), 0)), groups)
        _, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
        # Largest first; the sign of an eigenvector is arbitrary, so its largest entry is made positive.
        kept = vectors[:, ::-1][:, :channels]
        kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
        return cls(
            mean.astype(np.float32), (scale[:, None] * kept).astype(np.float32), (kept.T / scale).astype(np.float32)
        )

    def to_array(self) -> npt.NDArray[Any]:
        """As one record, for an .npy file."""
        dim, channels = self.encoding.shape
        layout = [("mean", "<f4", (dim,)), ("encoding", "<f4", (dim, channels)), ("decoding", "<f4", (channels, dim))]
        record = np.zeros((), dtype=layout)
        record["mean"], record["encoding"], record["decoding"] = self.mean, self.encoding, self.decoding
        return record

    @classmethod
    def from_array(cls, record: npt.NDArray[Any]) -> Projection:
        """Inverse of `to_array`.

        Raises:
            ValueError: it holds something else.
        """
        if record.dtype.names != ("mean", "encoding", "decoding"):
            raise ValueError(f"found fields {record.dtype.names}, expected mean, encoding, decoding")
        return cls(*(np.asarray(record[name], dtype=np.float32) for name in record.dtype.names))


def _scale(deviation: npt.NDArray[np.float64], groups: tuple[ChannelGroup, ...]) -> npt.NDArray[np.float64]:
    scale = np.ones_like(deviation)
    start = 0
    for size in [group.size for group in groups] or [len(deviation)]:
        part = deviation[start : start + size]
        typical = float(np.sqrt(np.mean(part**2)))
        floor = max(DEAD_CHANNEL_RATIO * typical, 1e-8)
        scale[start : start + size] = 1 / (np.maximum(part, floor) * np.sqrt(size))
        start += size
    return scale
