"""Samples that are easy to tell apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.base import ChannelGroup

GROUPS = (ChannelGroup("deep", 8), ChannelGroup("colour", 4))
DIM = 12
Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


def blobs(n_per_class: int, n_classes: int, *, seed: int = 0, spread: float = 0.3) -> tuple[Float, Int]:
    """Points around one centre a class; the centres do not depend on the seed."""
    centres = np.random.default_rng(99).normal(size=(n_classes, DIM))
    y = np.repeat(np.arange(n_classes), n_per_class)
    noise = np.random.default_rng(seed).normal(size=(len(y), DIM))
    return (3.0 + centres[y] + spread * noise).astype(np.float32), y
